"""What the end-to-end tests share: a scripted upstream, a gateway in front of it, a time limit."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

import quire_process  # noqa: E402
from chat import PRICE, PROVIDER_KEY, local_provider, model  # noqa: E402
from quire_process import Up  # noqa: E402
from scripted_upstream import ScriptedUpstream  # noqa: E402
from time_limit import time_limit  # noqa: E402

LIMIT = 60
LIMIT_SLOW = 900


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: takes more than a few seconds; not in --quick")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not quire_process.binary().exists():
        raise pytest.UsageError(f"no binary at {quire_process.binary()}: build it, or set "
                                "QUIRE_BINARY")


@pytest.fixture(autouse=True)
def limited(request: pytest.FixtureRequest) -> Iterator[None]:
    with time_limit(LIMIT_SLOW if request.node.get_closest_marker("slow") else LIMIT):
        yield


@pytest.fixture(scope="session")
def shared_upstream() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream() as upstream:
        yield upstream


@pytest.fixture
def upstream(shared_upstream: ScriptedUpstream) -> ScriptedUpstream:
    """The upstream of the gateways below, with nothing scripted and nothing remembered."""
    shared_upstream.reset()
    return shared_upstream


@pytest.fixture(scope="session")
def gateway(shared_upstream: ScriptedUpstream) -> Iterator[Up]:
    """One quire for the tests that leave it as they found it. `writer` is scripted as `tiny`."""
    config = {
        "providers": {"local": local_provider(shared_upstream)},
        "models": {
            "writer": model("tiny"),
            "acme/writer/v1": model("tiny"),
            "priced": model("tiny") | {"price": PRICE, "max_output_tokens": 256},
        },
        "limits": {"retries": 0},
    }
    with Up(config, env={"LOCAL_KEY": PROVIDER_KEY}) as up:
        yield up


@pytest.fixture
def key(gateway: Up) -> str:
    assert gateway.api_key is not None
    return gateway.api_key
