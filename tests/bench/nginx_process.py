"""nginx twice: as the mock of a model provider, and as the reverse proxy Quire is measured by.

The mock answers every chat completion with the same bytes, out of memory: under /plain a whole
answer, under /stream the same answer as an event stream. Both run one worker process, keep
connections alive and write no access log.
"""

import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

START_SECONDS_MAX = 5
SSE_CHUNKS = 20
WORDS = ("Bees on a roof need little: a quiet corner, water close by and flowers within a mile "
         "or two.").split()
USAGE = {"prompt_tokens": 84, "completion_tokens": SSE_CHUNKS, "total_tokens": 84 + SSE_CHUNKS}

HTTP = """
daemon off;
worker_processes 1;
%(user)s
pid %(folder)s/nginx.pid;
error_log %(folder)s/error.log warn;
events { worker_connections 1024; }
http {
    access_log off;
    default_type application/json;
    keepalive_requests 1000000000;
    keepalive_timeout 600s;
    client_body_buffer_size 64k;
    client_body_temp_path %(folder)s/body;
    proxy_temp_path %(folder)s/proxy;
    fastcgi_temp_path %(folder)s/fastcgi;
    uwsgi_temp_path %(folder)s/uwsgi;
    scgi_temp_path %(folder)s/scgi;
    %(content)s
}
"""

MOCK = """
server {
    listen 127.0.0.1:%(port)d backlog=1024;
    location = /plain/v1/chat/completions {
%(plain)s
    }
    location = /stream/v1/chat/completions {
        default_type text/event-stream;
%(stream)s
    }
}
"""

# Buffering off is what nginx's users set for event streams; elsewhere its default is faster.
PROXY = """
upstream mock { server 127.0.0.1:%(upstream)d; keepalive 64; keepalive_requests 1000000000; }
server {
    listen 127.0.0.1:%(port)d backlog=1024;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    location / { proxy_pass http://mock; }
    location /stream/ { proxy_buffering off; proxy_pass http://mock; }
}
"""


class NginxError(Exception):
    """nginx did not start."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def plain_answer():
    message = {"role": "assistant", "content": " ".join(WORDS), "refusal": None}
    return json.dumps({
        "id": "chatcmpl-mock", "object": "chat.completion", "created": 1700000000,
        "model": "mock", "usage": USAGE,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
    })


def stream_answer():
    """Role, the words one by one, the finish reason, the usage, [DONE]."""
    def chunk(choices, usage=None):
        return {"id": "chatcmpl-mock", "object": "chat.completion.chunk", "created": 1700000000,
                "model": "mock", "choices": choices, "usage": usage}

    def choice(delta, finish_reason=None):
        return [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}]

    chunks = [chunk(choice({"role": "assistant", "content": ""}))]
    chunks += [chunk(choice({"content": word + " "})) for word in WORDS]
    chunks += [chunk(choice({}, "stop")), chunk([], USAGE)]
    return "".join(f"data: {json.dumps(each)}\n\n" for each in chunks) + "data: [DONE]\n\n"


def return_statement(body):
    """nginx takes no word above 4 kB, so a long body is put together from variables."""
    pieces = [body[start:start + 2000] for start in range(0, len(body), 2000)]
    quoted = [piece.replace("\\", "\\\\").replace("'", "\\'") for piece in pieces]
    lines = [f"        set $piece{place} '{text}';" for place, text in enumerate(quoted)]
    names = "".join(f"${{piece{place}}}" for place in range(len(pieces)))
    return "\n".join(lines + [f'        return 200 "{names}";'])


class Nginx:
    """Use as `with Nginx.mock() as mock, Nginx.proxy(mock.port) as proxy:`."""

    def __init__(self, port, content):
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.folder = Path(tempfile.mkdtemp(prefix="quire-nginx-"))
        user = "user root;" if os.geteuid() == 0 else ""
        values = {"user": user, "folder": self.folder, "content": content}
        (self.folder / "nginx.conf").write_text(HTTP % values)
        self.process = None

    @classmethod
    def mock(cls):
        port = free_port()
        answers = {"plain": return_statement(plain_answer()),
                   "stream": return_statement(stream_answer())}
        return cls(port, MOCK % {"port": port, **answers})

    @classmethod
    def proxy(cls, upstream):
        port = free_port()
        return cls(port, PROXY % {"port": port, "upstream": upstream})

    def __enter__(self):
        command = [program(), "-p", self.folder, "-c", self.folder / "nginx.conf",
                   "-e", self.folder / "error.log"]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + START_SECONDS_MAX
        while not self._listens():
            if self.process.poll() is not None or time.monotonic() > deadline:
                said = (self.folder / "error.log").read_text()
                self.__exit__()
                raise NginxError(f"nginx did not start: {said}")
            time.sleep(0.02)
        return self

    def _listens(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def pid(self):
        return self.process.pid


def program():
    """Debian puts nginx where the PATH of an ordinary user does not look."""
    found = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if found is None:
        raise NginxError("nginx is missing: apt-get install nginx-light")
    return found
