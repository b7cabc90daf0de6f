"""What is measured from outside a server: one load of wrk, its processor time, its memory, and a
profile by perf. And the check, before any load, that a server answers what it should."""

import http.client
import json
import os
import resource
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
TICK_SECONDS = 1 / os.sysconf("SC_CLK_TCK")
PROFILE_HERTZ = 997
TOP_SYMBOLS = 25
CALL_SHARE_MIN = 1.0  # per cent
KERNEL = "[k]"  # how perf marks its functions


class MeasureError(Exception):
    """An answer or a tool was not what a figure may be built on."""


def request_body(model, stream):
    """About 400 bytes: what a writing assistant sends."""
    body = {
        "model": model,
        "messages": [
            {"role": "system", "content": "You are the writing assistant of a gardening magazine. "
             "Write plainly, in the voice of a neighbour who knows."},
            {"role": "user", "content": "Write the first paragraph of a short blog post about "
             "keeping bees on a roof in the city: what they need, and why they thrive there."},
        ],
        "max_tokens": 256, "temperature": 0.7,
    }
    if stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    return json.dumps(body)


def check_answer(target, body, text):
    """Sends one request and reads the whole answer; raises unless the text came complete."""
    host, _, path = target.url.removeprefix("http://").partition("/")
    connection = http.client.HTTPConnection(host, timeout=10)
    headers = {"content-type": "application/json", "authorization": f"Bearer {target.key}"}
    try:
        connection.request("POST", "/" + path, body, headers)
        answer = connection.getresponse()
        received = answer.read().decode()
    except OSError as error:
        raise MeasureError(f"{target.name}: {error}") from error
    finally:
        connection.close()
    if answer.status != 200:
        raise MeasureError(f"{target.name} answered {answer.status}: {received[:500]}")
    streamed = answer.getheader("content-type", "").startswith("text/event-stream")
    try:
        content = streamed_text(received) if streamed else plain_text(received)
    except (ValueError, LookupError, TypeError) as error:
        raise MeasureError(f"{target.name}: {error!r} in {received[:500]}") from error
    if content.strip() != text:
        raise MeasureError(f"{target.name} answered another text: {content!r}")
    return streamed


def plain_text(received):
    return json.loads(received)["choices"][0]["message"]["content"]


def streamed_text(received):
    events = [line[6:] for line in received.splitlines() if line.startswith("data: ")]
    if not events or events[-1] != "[DONE]":
        raise ValueError("the stream does not end with [DONE]")
    choices = [choice for event in events[:-1] for choice in json.loads(event)["choices"]]
    return "".join(choice["delta"].get("content") or "" for choice in choices)


def load(target, body, connections, seconds):
    """wrk with one thread; answers per second, latency in ms, processor time per answer,
    and how many cores were busy with something else."""
    environment = os.environ | {"BENCH_BODY": body, "BENCH_KEY": target.key}
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(HERE / "wrk_chat.lua"),
               target.url]
    before = Clocks(target)
    run = subprocess.run(command, env=environment, capture_output=True, text=True)
    cpu, others = Clocks(target).since(before)
    lines = [line[7:] for line in run.stdout.splitlines() if line.startswith("RESULT ")]
    if run.returncode != 0 or not lines:
        raise MeasureError(f"wrk failed on {target.name}: {run.stderr or run.stdout}")
    result = json.loads(lines[0])
    failed = {kind: result[kind] for kind in ("bad_status", "connect", "read", "write", "timeout")
              if result[kind]}
    if failed or not result["requests"]:
        raise MeasureError(f"{target.name} at c={connections}: {result['requests']} answers, "
                           f"failures {failed}")
    return {
        "per_second": result["requests"] / (result["duration"] / 1e6),
        "p50_ms": result["p50"] / 1e3,
        "p99_ms": result["p99"] / 1e3,
        "cpu_us": cpu * 1e6 / result["requests"],
        "others": others,
    }


class Clocks:
    """Processor time at one moment: of the target, and of the machine without what the load needs.
    Only user time tells strangers apart: the kernel's is also the work of loopback's own."""

    def __init__(self, target):
        self.moment = time.monotonic()
        self.target = sum(cpu_times(target.pid))
        machine = Path("/proc/stat").read_text().split()
        self.strangers = (int(machine[1]) + int(machine[2])) * TICK_SECONDS  # user and nice
        self.strangers -= sum(cpu_times(pid)[0] for pid in {target.pid, target.mock_pid})
        self.strangers -= resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime

    def since(self, before):
        """Seconds the target used; how many cores were busy with other programs."""
        others = (self.strangers - before.strangers) / (self.moment - before.moment)
        return self.target - before.target, max(0, others)


def processes(pid):
    """A process and its children: nginx works in a child."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid] + [int(child) for child in children]


def cpu_times(pid):
    """User and system seconds so far."""
    user = system = 0
    for each in processes(pid):
        fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        user, system = user + int(fields[11]), system + int(fields[12])
    return user * TICK_SECONDS, system * TICK_SECONDS


def threads(pid):
    return len(os.listdir(f"/proc/{pid}/task"))


def resident_mb(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise MeasureError(f"process {pid} has no VmRSS")


def profile(pid, seconds, run_load):
    """Samples a process while `run_load()` runs; shares by object and by symbol, largest first.

    The sampling clock is the kernel's timer: virtual machines often have no other."""
    if shutil.which("perf") is None:
        raise MeasureError("perf is missing: apt-get install linux-perf")
    with tempfile.TemporaryDirectory(prefix="quire-perf-") as folder:
        data = f"{folder}/perf.data"
        command = ["perf", "record", "-g", "-e", "cpu-clock", "-F", str(PROFILE_HERTZ), "-o", data,
                   "-p", str(pid), "--", "sleep", str(seconds)]
        recorder = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                    text=True)
        try:
            run_load()
        finally:
            _, said = recorder.communicate()
        if recorder.returncode != 0:
            raise MeasureError(f"perf record failed: {said}")
        return {
            "objects": perf_report(data, "dso"),
            "library_calls": [row for row in perf_report(data, "symbol,dso", inclusive=True)
                              if "libc.so" in row["name"] and row["share"] >= CALL_SHARE_MIN],
            "symbols": [row for row in perf_report(data, "symbol,dso")
                        if not row["name"].startswith(KERNEL)][:TOP_SYMBOLS],
        }


def perf_report(data, sort, inclusive=False):
    """Rows of share and name, largest first; inclusive shares count what a function calls."""
    command = ["perf", "report", "-i", data, "--stdio", "-g", "none", "-t", "|", "--sort", sort,
               "--children" if inclusive else "--no-children"]
    report = subprocess.run(command, capture_output=True, text=True).stdout
    rows = []
    for line in report.splitlines():
        parts = [part.strip() for part in line.split("|")]
        if line.startswith("#") or not parts[0].endswith("%"):
            continue
        names = parts[2 if inclusive else 1:][:sort.count(",") + 1]
        rows.append({"share": float(parts[0].rstrip("%")), "name": "  ".join(names)})
    return sorted(rows, key=lambda row: -row["share"])
