"""A `quire up` of its own on a temporary folder, for programs that measure or try it.

Ports are picked by the system, the key comes from the ready line, and the folder goes with the
process. What it says on stderr is kept and shown when it does not start.
"""

import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

START_SECONDS_MAX = 20
STOP_SECONDS_MAX = 35
PRICE = {"input": 1, "output": 1}  # micro-credits per million tokens: the first credits last


class QuireError(Exception):
    """Quire did not start, or did not say what it should."""


class Quire:
    """Use as `with Quire(binary, config=...) as quire:`; then url, api_key, pid, ready_seconds."""

    start_seconds_max, stop_seconds_max = START_SECONDS_MAX, STOP_SECONDS_MAX

    def __init__(self, binary, config=None, use=None):
        self.folder = Path(tempfile.mkdtemp(prefix="quire-test-"))
        self.log_path = self.folder / "quire.log"
        self.command = [str(binary), "up", "--json", "--data", str(self.folder / "data"),
                        "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]
        if config is not None:
            config_path = self.folder / "quire.yaml"
            config_path.write_text(json.dumps(config))  # JSON is YAML
            self.command += ["--config", str(config_path)]
        if use is not None:
            self.command += ["--use", use]
        self.process = None
        self.api_key = None

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def start(self):
        started = time.monotonic()
        with self.log_path.open("ab") as log:
            try:
                self.process = subprocess.Popen(
                    self.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log)
            except OSError as error:
                raise QuireError(f"cannot run {self.command[0]}: {error.strerror}") from error
        ready = self._ready_line(started + self.start_seconds_max)
        self.ready_seconds = time.monotonic() - started
        self.url, self.admin_url = ready["url"], ready["admin_url"]
        self.api_key = ready.get("api_key", self.api_key)  # told on the first run only
        if not self.api_key:
            raise QuireError("the ready line of a first run has no api_key")

    def _ready_line(self, deadline):
        descriptor, line = self.process.stdout.fileno(), b""
        while b"\n" not in line:
            readable, _, _ = select.select([descriptor], [], [], deadline - time.monotonic())
            piece = os.read(descriptor, 65536) if readable else b""
            if not piece:
                raise QuireError(f"quire up did not become ready; it said:\n{self.log_tail()}")
            line += piece
        try:
            return json.loads(line.split(b"\n")[0])
        except ValueError as error:
            raise QuireError(f"the ready line is not JSON: {line!r}") from error

    @property
    def pid(self):
        return self.process.pid

    def log_tail(self):
        return "\n".join(self.log_path.read_text(errors="replace").splitlines()[-20:])

    def stop(self):
        """SIGTERM; returns the exit code, or raises when it had to be killed."""
        if self.process is None or self.process.returncode is not None:
            return self.process and self.process.returncode
        self.process.terminate()
        try:
            return self.process.wait(self.stop_seconds_max)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise QuireError(f"quire did not stop {self.stop_seconds_max} s after "
                             "SIGTERM") from None
        finally:
            self.process.stdout.close()

    def close(self):
        try:
            self.stop()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)


def config_for(models):
    """A configuration whose models are served by OpenAI-compatible servers: name to
    (base URL, name of the model there)."""
    providers = {name: {"kind": "openai", "base_url": url} for name, (url, _) in models.items()}
    return {
        "providers": providers,
        "models": {name: {"provider": name, "upstream_model": there, "price": PRICE}
                   for name, (_, there) in models.items()},
    }
