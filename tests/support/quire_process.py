"""Starts the real binary for tests: `quire up`, `quire sim`, and commands that end by themselves.

The binary is QUIRE_BINARY, else build/release/quire of this tree. A process gets a temporary data
folder and home, free ports, and an environment without any key or setting of the developer.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

from raw_http import Answer, call
from waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
READY_LIMIT = 20.0
STOP_LIMIT = 10.0
# Idle upstream connections that requests one after the other may leave: one for each event loop,
# and one more where the next request came before the last one's connection was back in the pool.
POOLED = 2 * max(os.cpu_count() or 1, 2)
SERIES = re.compile(r"^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? ([^ ]+)(?: \d+)?$")
LABEL = re.compile(r'([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"')
Metrics = dict[tuple[str, frozenset[tuple[str, str]]], float]


def binary() -> Path:
    return Path(os.environ.get("QUIRE_BINARY", ROOT / "build/release/quire")).resolve()


def clean_environment(home: Path, more: dict[str, str] | None = None) -> dict[str, str]:
    """PATH and the like, a home of its own, and nothing that Quire would read by itself."""
    kept = {name: value for name, value in os.environ.items()
            if name in ("PATH", "LANG", "TZ", "TMPDIR", "LD_LIBRARY_PATH")
            or name.endswith("SAN_OPTIONS")}
    return kept | {"HOME": str(home), "XDG_DATA_HOME": str(home / "share")} | (more or {})


def run_quire(*arguments: str, home: Path | None = None, env: dict[str, str] | None = None,
              limit: float = 20.0) -> subprocess.CompletedProcess[str]:
    """A command that ends by itself; nothing is asserted about how."""
    with tempfile.TemporaryDirectory(prefix="quire-test-") as temporary:
        return subprocess.run([str(binary()), *arguments], text=True, capture_output=True,
                              timeout=limit, stdin=subprocess.DEVNULL,
                              env=clean_environment(home or Path(temporary), env))


class Process:
    """A running quire with its ready line read; a `with` block stops it."""

    def __init__(self, arguments: list[str], env: dict[str, str] | None = None,
                 home: Path | None = None) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="quire-test-"))
        self._stderr_file = self.folder / "stderr"
        self.lines: list[str] = []
        began = time.monotonic()
        with self._stderr_file.open("wb") as errors:
            self.process = subprocess.Popen(
                [str(binary()), *arguments], stdout=subprocess.PIPE, stderr=errors, text=True,
                stdin=subprocess.DEVNULL, env=clean_environment(home or self.folder, env))
        self._reader = threading.Thread(target=self._read_stdout, daemon=True)
        self._reader.start()
        try:
            wait_until(lambda: self.lines or self.process.poll() is not None, "a ready line",
                       READY_LIMIT, poll=0.001)
            self.ready_ms = (time.monotonic() - began) * 1000.0
            assert self.lines, f"exit {self.process.poll()} without a ready line: {self.stderr}"
            self.ready: dict[str, Any] = json.loads(self.lines[0])
            assert self.ready["event"] == "ready", self.ready
        except BaseException:
            self.kill()
            raise

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def url(self) -> str:
        return str(self.ready["url"])

    @property
    def stderr(self) -> str:
        return self._stderr_file.read_text("utf-8", "replace")

    def logged(self, text: str) -> list[str]:
        """The lines of stderr with the text, once there are any: an answer may come before."""
        def found() -> list[str]:
            return [line for line in self.stderr.splitlines() if text in line]
        wait_until(found, f"{text} in the log")
        return found()

    def signal(self, number: int = signal.SIGTERM) -> None:
        self.process.send_signal(number)

    def wait(self, limit: float = STOP_LIMIT) -> int:
        return self.process.wait(limit)

    def stop(self, limit: float = STOP_LIMIT) -> None:
        """SIGTERM; a process that does not then end with 0 in time is a failure."""
        try:
            if self.process.poll() is None:
                self.signal()
            code = self.wait(limit)
            assert code == 0, f"exit {code}: {self.stderr[-3000:]}"
        except subprocess.TimeoutExpired:
            tail = self.stderr[-3000:]
            raise AssertionError(f"still running {limit} s after SIGTERM: {tail}") from None
        finally:
            self.kill()

    def kill(self) -> None:
        """SIGKILL if it still runs, and removes what the test process made for it."""
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()
        self._reader.join(5)
        if self.process.stdout is not None:
            self.process.stdout.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def open_files(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def is_sanitized(self) -> bool:
        """Whether the program was built with AddressSanitizer."""
        return "libasan" in Path(f"/proc/{self.pid}/maps").read_text()

    def resident_bytes(self) -> int:
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def call(self, method: str, path: str, key: str | None = None, body: Any = None,
             **more: Any) -> Answer:
        return call(self.url, method, path, key, body, **more)

    def __enter__(self) -> Any:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self.stop()
        else:
            print(f"quire's exit: {self.process.poll()}; the end of what it wrote:\n"
                  f"{self.stderr[-3000:]}")
            self.kill()

    def _read_stdout(self) -> None:
        assert self.process.stdout is not None
        with contextlib.suppress(ValueError):
            for line in self.process.stdout:
                self.lines.append(line.rstrip("\n"))


@dataclass(frozen=True)
class Footprint:
    """What must be back where it was when the work is over."""

    files: int
    inflight: float
    tasks: float
    from_clients: float
    to_upstreams: float
    queued: float


class Up(Process):
    """`quire up`. Without `data` the folder is temporary and goes with the process."""

    def __init__(self, config: dict[str, Any] | None = None, data: Path | None = None,
                 env: dict[str, str] | None = None, arguments: tuple[str, ...] = ()) -> None:
        self._own = Path(tempfile.mkdtemp(prefix="quire-test-data-"))
        self.data = data or self._own / "data"
        command = up_command(self.data, self._own, config, arguments)
        try:
            super().__init__(command, env, home=self._own)
        except BaseException:
            shutil.rmtree(self._own, ignore_errors=True)
            raise
        self.api_key: str | None = self.ready.get("api_key")
        self.admin_url = str(self.ready["admin_url"])

    def kill(self) -> None:
        super().kill()
        shutil.rmtree(self._own, ignore_errors=True)

    def admin(self, path: str) -> Answer:
        return call(self.admin_url, "GET", path)

    def metrics(self) -> Metrics:
        return parse_metrics(self.admin("/metrics").text)

    def gauge(self, name: str, **labels: str) -> float:
        """The sum of all series of the name that carry these labels; 0 when there is none."""
        wanted = set(labels.items())
        return sum(value for (series, own), value in self.metrics().items()
                   if series == name and wanted <= own)

    def footprint(self) -> Footprint:
        """Everything that can leak. The connection that reads the metrics is part of each."""
        metrics = self.metrics()

        def total(name: str, **labels: str) -> float:
            return sum(value for (series, own), value in metrics.items()
                       if series == name and set(labels.items()) <= own)

        return Footprint(
            files=self.open_files(),
            inflight=total("quire_inflight_requests", service="gateway"),
            tasks=total("quire_tasks"),
            from_clients=total("quire_http_connections", side="server"),
            to_upstreams=total("quire_http_connections", side="client"),
            queued=total("quire_queue_depth"))

    def footprint_at_rest(self) -> Footprint:
        """The footprint once what came before is over; what the look itself adds is left out."""
        wait_until(lambda: self.gauge("quire_inflight_requests", service="gateway") == 0, "rest")
        looks = [astuple(self.footprint()) for _ in range(8)]
        return Footprint(*map(min, zip(*looks, strict=True)))

    def wait_until_back_to(self, before: Footprint, pooled: int = POOLED,
                           limit: float = 5.0) -> None:
        """Nothing is left of the work since `before`, but up to `pooled` idle connections."""
        last = before

        def is_back() -> bool:
            nonlocal last
            last = self.footprint()
            more = max(0.0, last.to_upstreams - before.to_upstreams)
            return (last.to_upstreams <= max(before.to_upstreams, pooled)
                    and last.files - more <= before.files and last.tasks - more <= before.tasks
                    and last.inflight <= before.inflight and last.queued <= before.queued
                    and last.from_clients <= before.from_clients)

        with contextlib.suppress(AssertionError):
            wait_until(is_back, "the footprint of before", limit, poll=0.05)
            return
        raise AssertionError(f"leaked: before {before}, {limit} s after {last}")

    def cli(self, *arguments: str, limit: float = 20.0) -> subprocess.CompletedProcess[str]:
        """Another command of quire on this process's data folder."""
        return run_quire(*arguments, "--data", str(self.data), home=self._own, limit=limit)


@contextlib.contextmanager
def full_disk(up: Up) -> Iterator[None]:
    """No file of the process takes another byte."""
    _, hard = resource.prlimit(up.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(up.pid, resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.prlimit(up.pid, resource.RLIMIT_FSIZE, (hard, hard))


class Sim(Process):
    """`quire sim` on a free port."""

    def __init__(self, *arguments: str, env: dict[str, str] | None = None) -> None:
        super().__init__(["sim", "--listen", "127.0.0.1:0", "--json", *arguments], env)


def up_command(data: Path, folder: Path, config: dict[str, Any] | None = None,
               arguments: tuple[str, ...] = ()) -> list[str]:
    """The arguments of `quire up` on free ports; the config is written to the folder."""
    command = ["up", "--data", str(data), "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0",
               "--json", *arguments]
    if config is not None:
        file = folder / "quire.yaml"
        file.write_text(json.dumps(config), "utf-8")
        command += ["--config", str(file)]
    return command


def parse_metrics(text: str) -> Metrics:
    """Prometheus text exposition, strictly: a line that does not parse is an error."""
    metrics: Metrics = {}
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        match = SERIES.match(line)
        assert match, f"not a metrics line: {line!r}"
        labels = frozenset(LABEL.findall(match.group(2) or ""))
        metrics[(match.group(1), labels)] = float(match.group(3))
    return metrics
