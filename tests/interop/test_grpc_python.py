"""gRPC for Python on a process that serves the wire, by the .proto files alone, as grpcurl does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))

from time_limit import time_limit  # noqa: E402
from waiting import wait_until  # noqa: E402

HOST = Path(os.environ.get("QUIRE_WIRE_HOST", ROOT / "build/release/wire_host"))
LIMIT = 60
PROTOS = ("quire/auth/v1/auth.proto", "quire/conformance/v1/conformance.proto",
          "quire/wire/v1/wire.proto")
AUTH, CONFORMANCE = "quire.auth.v1.Auth", "quire.conformance.v1.Conformance"
CODES = {code.value[0]: code for code in grpc.StatusCode}


class Contracts:
    """Services and messages as the .proto files describe them; nothing is generated."""

    def __init__(self, folder: Path) -> None:
        out = folder / "contracts.pb"
        subprocess.run(["protoc", "-I", "api/proto", "-I", "tests/contract", "--include_imports",
                        f"--descriptor_set_out={out}", *PROTOS], cwd=ROOT, check=True)
        self.files = descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes())
        self.pool = descriptor_pool.DescriptorPool()
        for file in self.files.file:
            self.pool.Add(file)
        self._factory = message_factory.MessageFactory(self.pool)

    def message(self, name: str, /, **fields: Any) -> Any:
        return self._factory.GetPrototype(self.pool.FindMessageTypeByName(name))(**fields)

    def methods(self, service: str) -> Iterator[Any]:
        for file in self.files.file:
            for each in file.service:
                if f"{file.package}.{each.name}" == service:
                    yield from each.method


class Caller:
    """Calls any method by its name, whatever its kind, for the principal that it holds."""

    org_id, project_id, user_id = "org_1", "project_1", "user_1"

    def __init__(self, contracts: Contracts, target: str) -> None:
        self.contracts = contracts
        self.channel = grpc.insecure_channel(target, options=[
            ("grpc.max_receive_message_length", -1), ("grpc.use_local_subchannel_pool", 1)])

    def __call__(self, service: str, method: str, request: Any, scopes: tuple[str, ...] = (),
                 metadata: tuple[Any, ...] = (), **more: Any) -> Any:
        (found,) = (each for each in self.contracts.methods(service) if each.name == method)
        kinds = {(False, False): self.channel.unary_unary, (False, True): self.channel.unary_stream,
                 (True, True): self.channel.stream_stream}
        kind = kinds[found.client_streaming, found.server_streaming]
        answer = type(self.contracts.message(found.output_type[1:]))
        call = kind(f"/{service}/{method}", lambda message: message.SerializeToString(),
                    answer.FromString)
        principal = self.contracts.message("quire.common.v1.Principal", org_id=self.org_id,
                                           project_id=self.project_id, user_id=self.user_id,
                                           scopes=scopes)
        own = (("quire-principal-bin", principal.SerializeToString()),)
        return call(request, metadata=own + metadata, timeout=LIMIT, **more)


@pytest.fixture(autouse=True)
def limited() -> Iterator[None]:
    with time_limit(LIMIT):
        yield


@pytest.fixture(scope="module")
def contracts(tmp_path_factory: pytest.TempPathFactory) -> Contracts:
    return Contracts(tmp_path_factory.mktemp("contracts"))


@pytest.fixture(scope="module")
def addresses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    if not HOST.exists():
        raise pytest.UsageError(f"no program at {HOST}: build it, or set QUIRE_WIRE_HOST")
    folder = tmp_path_factory.mktemp("host")
    host = subprocess.Popen([HOST, folder], text=True, stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE)
    assert host.stdin and host.stdout
    ready = json.loads(host.stdout.readline())
    yield {"unix": f"unix:{ready['unix']}", "tcp": f"127.0.0.1:{ready['port']}"}
    host.stdin.close()
    assert host.wait(10) == 0


@pytest.fixture(params=["unix", "tcp"])
def caller(request: pytest.FixtureRequest, contracts: Contracts,
           addresses: dict[str, str]) -> Iterator[Caller]:
    made = Caller(contracts, addresses[request.param])
    yield made
    made.channel.close()


def echo_request(contracts: Contracts, **fields: Any) -> Any:
    return contracts.message("quire.conformance.v1.EchoRequest", **fields)


def details_of(contracts: Contracts, error: grpc.RpcError) -> dict[str, Any]:
    """The messages in grpc-status-details-bin by their names."""
    trailers = dict(error.trailing_metadata())
    status = contracts.message("quire.wire.v1.Status")
    status.ParseFromString(trailers["grpc-status-details-bin"])
    assert CODES[status.code] == error.code() and status.message == error.details()
    found = {}
    for detail in status.details:
        name = detail.type_url.removeprefix("type.googleapis.com/google.rpc.")
        found[name] = contracts.message(f"quire.wire.v1.{name}")
        found[name].ParseFromString(detail.value)
    return found


def test_a_unary_call_is_answered_with_what_the_metadata_said(caller: Caller,
                                                              contracts: Contracts) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    answer = caller(CONFORMANCE, "Echo", echo_request(contracts, text="größe 🐝"),
                    metadata=(("quire-request-id", "req_01M84YTZVCKESBNN60DEPB1WMQ"),
                              ("traceparent", trace)))
    assert (answer.text, answer.org_id) == ("größe 🐝", "org_1")
    assert answer.request_id == "req_01M84YTZVCKESBNN60DEPB1WMQ"
    assert answer.traceparent.split("-")[1] == trace.split("-")[1]


def test_a_megabyte_passes_both_ways(caller: Caller, contracts: Contracts) -> None:
    text = "x" * 1024 * 1024
    assert caller(CONFORMANCE, "Echo", echo_request(contracts, text=text)).text == text


@pytest.mark.parametrize(("name", "code"), [
    ("not_found", grpc.StatusCode.NOT_FOUND), ("invalid_value", grpc.StatusCode.INVALID_ARGUMENT),
    ("invalid_api_key", grpc.StatusCode.UNAUTHENTICATED),
    ("insufficient_quota", grpc.StatusCode.FAILED_PRECONDITION),
    ("overloaded", grpc.StatusCode.UNAVAILABLE), ("internal_error", grpc.StatusCode.INTERNAL),
])
def test_an_error_says_why_in_words_and_in_details(caller: Caller, contracts: Contracts, name: str,
                                                   code: grpc.StatusCode) -> None:
    with pytest.raises(grpc.RpcError) as failed:
        caller(CONFORMANCE, "Echo", echo_request(contracts, fail_with=name))
    assert failed.value.code() == code
    assert failed.value.details() == f"as asked: ünïcode “{name}”"
    details = details_of(contracts, failed.value)
    assert (details["ErrorInfo"].reason, details["ErrorInfo"].domain) == (name, "quire")
    assert details["ErrorInfo"].metadata["limit"] == "3"
    assert details["RetryInfo"].retry_delay.ToMilliseconds() == 1500


def test_an_unknown_method_is_unimplemented(caller: Caller) -> None:
    call = caller.channel.unary_unary(f"/{CONFORMANCE}/Eco")
    with pytest.raises(grpc.RpcError) as failed:
        call(b"", timeout=LIMIT)
    assert failed.value.code() == grpc.StatusCode.UNIMPLEMENTED
    assert f"/{CONFORMANCE}/Echo" in failed.value.details()


def test_a_deadline_ends_a_call(caller: Caller, contracts: Contracts) -> None:
    call = caller.channel.unary_unary(f"/{CONFORMANCE}/Echo")
    with pytest.raises(grpc.RpcError) as failed:
        call(echo_request(contracts, delay_ms=60_000).SerializeToString(), timeout=0.1)
    assert failed.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED


def count_request(contracts: Contracts, **fields: Any) -> Any:
    return contracts.message("quire.conformance.v1.CountRequest", **fields)


def test_a_stream_comes_in_order_and_its_error_after_it(caller: Caller,
                                                        contracts: Contracts) -> None:
    stream = caller(CONFORMANCE, "Count", count_request(contracts, count=1000,
                                                        fail_with="stream_interrupted"),
                    scopes=("inference",))
    came = []
    with pytest.raises(grpc.RpcError) as failed:
        came.extend(number.value for number in stream)
    # `extend` keeps what came before the error.
    assert came == list(range(1, 1001))
    assert details_of(contracts, failed.value)["ErrorInfo"].reason == "stream_interrupted"


def test_a_stream_can_be_left(caller: Caller, contracts: Contracts) -> None:
    stream = caller(CONFORMANCE, "Count", count_request(contracts, count=10**9),
                    scopes=("inference",))
    assert next(stream).value == 1
    stream.cancel()
    assert wait_until(stream.code, "the stream's end") == grpc.StatusCode.CANCELLED
    assert caller(CONFORMANCE, "Echo", echo_request(contracts, text="on")).text == "on"


def test_a_scope_is_asked_for(caller: Caller, contracts: Contracts) -> None:
    stream = caller(CONFORMANCE, "Count", count_request(contracts, count=1))
    with pytest.raises(grpc.RpcError) as failed:
        next(stream)
    assert failed.value.code() == grpc.StatusCode.PERMISSION_DENIED
    assert details_of(contracts, failed.value)["ErrorInfo"].metadata["scope"] == "inference"


def test_a_two_way_stream_answers_each_push(caller: Caller, contracts: Contracts) -> None:
    answered = threading.Semaphore(1)

    def pushes() -> Iterator[Any]:
        for value in range(1, 101):
            answered.acquire()
            yield contracts.message("quire.conformance.v1.Number", value=value)
        answered.acquire()

    sums = []
    for number in caller(CONFORMANCE, "Sum", pushes()):
        sums.append(number.value)
        answered.release()
    assert sums == [i * (i + 1) // 2 for i in range(1, 101)] + [5050]


def test_auth_makes_an_organization_a_key_and_its_principal(contracts: Contracts,
                                                            addresses: dict[str, str]) -> None:
    caller = Caller(contracts, addresses["unix"])
    operator = contracts.message("quire.wire.v1.Call", is_operator=True).SerializeToString()
    made = caller(AUTH, "CreateOrganization",
                  contracts.message("quire.auth.v1.CreateOrganizationRequest", name="Bees"),
                  metadata=(("quire-call-bin", operator),)).organization
    caller.org_id, caller.project_id, caller.user_id = made.id, made.project_id, made.user_id

    key = caller(AUTH, "CreateKey", contracts.message("quire.auth.v1.CreateKeyRequest", name="one"),
                 scopes=("keys:write", "inference"))
    request = contracts.message("quire.auth.v1.AuthenticateRequest", key=key.secret)
    principal = caller(AUTH, "Authenticate", request).principal

    assert (principal.org_id, principal.key_id) == (made.id, key.key.id)
    assert list(principal.scopes) == ["inference"]
    caller.channel.close()


def test_the_operator_is_not_believed_on_tcp(contracts: Contracts,
                                             addresses: dict[str, str]) -> None:
    caller = Caller(contracts, addresses["tcp"])
    operator = contracts.message("quire.wire.v1.Call", is_operator=True).SerializeToString()
    with pytest.raises(grpc.RpcError) as failed:
        caller(AUTH, "CreateOrganization",
               contracts.message("quire.auth.v1.CreateOrganizationRequest", name="Bees"),
               metadata=(("quire-call-bin", operator),))
    assert failed.value.code() == grpc.StatusCode.PERMISSION_DENIED
    caller.channel.close()
