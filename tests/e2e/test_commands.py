"""The commands beside `quire up`: configuration, keys, calls through the socket, versions."""

from __future__ import annotations

import http.server
import json
import re
import stat
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from api_keys import is_well_formed
from chat import PRICE, PROVIDER_KEY, ask, assert_error, local_provider, model
from quire_process import Up, binary, clean_environment, run_quire, up_command
from scripted_upstream import ScriptedUpstream
from waiting import wait_until

PROVIDER = {"kind": "openai", "base_url": "http://127.0.0.1:9/v1", "api_key": "env:LOCAL_KEY"}
WRITER = {"provider": "local", "upstream_model": "tiny", "price": PRICE}
GOOD: dict[str, Any] = {"providers": {"local": PROVIDER}, "models": {"writer": WRITER}}
KEY = {"LOCAL_KEY": "sk-config-canary-77"}


def review_of(fields: dict[str, Any]) -> dict[str, Any]:
    """A policy of one rule."""
    return {"review": {"default": {"output": [{"name": "banned", "action": "block", **fields}]}}}


# What is wrong, and the words that the message has to hold.
WRONG_CONFIGS: dict[str, tuple[Any, list[str]]] = {
    "an unknown section": ({"provider": {}}, ["provider", "providers"]),
    "an unknown limit": ({"limits": {"conect": "5s"}}, ["conect", "connect"]),
    "an unknown field of a model": (
        {**GOOD, "models": {"writer": {**WRITER, "upstream_modle": "x"}}},
        ["upstream_modle", "upstream_model"]),
    "an unknown field of a provider": (
        {**GOOD, "providers": {"local": {**PROVIDER, "base_uri": "x"}}}, ["base_uri", "base_url"]),
    "a number that is none": ({"limits": {"retries": "many"}}, ["limits", "retries", "many"]),
    "a number out of bounds": ({"limits": {"retries": -1}}, ["limits", "retries", "-1"]),
    "a duration that is none": ({"limits": {"connect": "soon"}}, ["connect", "soon", "5"]),
    "a section that is a text": ({"limits": "none"}, ["limits"]),
    "a list at the top": ([1, 2], []),
    "a model without a price": (
        {**GOOD, "models": {"writer": {"provider": "local", "upstream_model": "x"}}},
        ["writer", "price"]),
    "a model of an unknown provider": (
        {**GOOD, "models": {"writer": {**WRITER, "provider": "locl"}}}, ["writer", "locl"]),
    "an unknown kind of provider": (
        {**GOOD, "providers": {"local": {**PROVIDER, "kind": "opnai"}}}, ["opnai", "openai"]),
    "a base URL that is none": (
        {**GOOD, "providers": {"local": {**PROVIDER, "base_url": "nowhere"}}}, ["base_url"]),
    "a negative price": (
        {**GOOD, "models": {"writer": {**WRITER, "price": {"input": -1, "output": 1}}}},
        ["price"]),
    "a concurrency of none": (
        {**GOOD, "models": {"writer": {**WRITER, "concurrency": 0}}}, ["concurrency"]),
    "a rule of an unknown kind": (
        review_of({"kind": "pii.phone"}), ["default", "output", "kind", "pii.phone", "pii.email"]),
    "a rule without a bound": (
        review_of({"kind": "regex", "pattern": "a+"}), ["default", "output", "banned", "{1,64}"]),
    "a rule that matches nothing": (
        review_of({"kind": "regex", "pattern": "a*"}), ["banned", "pattern", "empty"]),
    "a rule that is too wide": (
        review_of({"kind": "regex", "pattern": "a{600}"}), ["banned", "600", "512"]),
    "a rule with a field of another kind": (
        review_of({"kind": "pii.card", "pattern": "a"}), ["banned", "pattern", "regex"]),
    "a rule without texts": (review_of({"kind": "literal"}), ["banned", "values"]),
    "a rule without visible text": (
        review_of({"kind": "literal", "values": ["\u200b"]}), ["banned", "values[0]", "visible"]),
    "a rule that matches its own replacement": (
        review_of({"kind": "literal", "values": ["banned"], "action": "redact"}),
        ["banned", "replacement"]),
    "a project id that is none": (
        {"review": {"strict": {}, "projects": {"foo": "strict"}}}, ["foo", "prj_"]),
    "a project id that is none, of content": (
        {"content": {"projects": {"foo": True}}}, ["foo", "prj_"]),
    "providers without a model": ({"providers": {"own": {"kind": "sim"}}}, ["models", "provider"]),
    "a policy that does not exist": (
        {"review": {"strict": {}, "projects": {f"prj_{26 * '0'}": "strct"}}}, ["strct", "strict"]),
}


def test_what_is_printed_may_be_read_again(tmp_path: Path) -> None:
    config = {"providers": {"local": {"kind": "openai", "base_url": "http://127.0.0.1:9/v1"},
                            "own": {"kind": "sim"}},
              "models": {name: {"provider": "local", "upstream_model": "tiny",
                                "price": {"input": 1, "output": 2}}
                         for name in ("writer", "@cf/meta/llama", "a: b", "null", "-x")},
              "review": {"default": {"output": [{"name": "cards", "kind": "pii.card",
                                                 "action": "redact"}]}}}
    printed = run_quire("config", "print", "--config", write(tmp_path, config)).stdout
    assert re.search(r"concurrency: \d+\n", printed) and "api_key" not in printed, printed
    again = tmp_path / "again.yaml"
    again.write_text(printed)
    checked = run_quire("config", "check", "--config", str(again))
    assert checked.returncode == 0, checked.stderr
    assert run_quire("config", "print", "--config", str(again)).stdout == printed


@pytest.mark.parametrize("arguments, words", [
    (("frobnicate",), ["quire: there is no command 'frobnicate'", "credits"]),
    (("keys", "frob"), ["quire keys: there is no command 'frob'", "create"]),
    (("keys", "create", "--name", "x", "--expires", "999999999d"), ["36500d", "never"]),
    (("keys", "create", "--name", "x", "--scopes", ","), ["--scopes", "inference"]),
    (("keys", "create", "--name", "x", "--scopes", "fly"), ["fly", "inference"]),
    (("call", "bogus"), ["SERVICE.Method"]),
    (("call", "credits.GetBalance", "{"), ["GetBalanceRequest"]),
    (("keys", "list", "--url", "nonsense"), ["--url", "nonsense"]),
    (("keys", "list", "--url", "http://127.0.0.1:1"), ["--url", "QUIRE_API_KEY"]),
    (("prompts", "get", "blog", "--version", "0"), ["whole number", "1"]),
    (("prompts", "label", "blog", "x", "production"), ["whole number", "1"])])
def test_a_wrong_argument_is_refused_with_what_would_be_right(
        up: Up, arguments: tuple[str, ...], words: list[str]) -> None:
    done = up.cli(*arguments)
    assert done.returncode == 2, done
    for word in words:
        assert word in done.stderr, done.stderr


@pytest.fixture(scope="module")
def up() -> Iterator[Up]:
    with Up() as started:
        yield started


def write(folder: Path, config: Any) -> str:
    file = folder / "quire.yaml"
    file.write_text(config if isinstance(config, str) else json.dumps(config), "utf-8")
    return str(file)


@pytest.mark.parametrize("name", WRONG_CONFIGS)
def test_a_wrong_configuration_is_refused_with_what_would_be_right(tmp_path: Path,
                                                                   name: str) -> None:
    config, words = WRONG_CONFIGS[name]
    for arguments in (up_command(tmp_path / "data", tmp_path, config),
                      ["config", "check", "--config", write(tmp_path, config)]):
        done = run_quire(*arguments, home=tmp_path, env=KEY)
        assert done.returncode == 2, done
        assert done.stdout == "" or arguments[0] == "config"
        for word in words:
            assert word in done.stderr, (word, done.stderr)


@pytest.mark.parametrize("where", ["gateway", "admin"])
def test_a_host_that_is_no_address_is_refused_before_anything_is_made(tmp_path: Path,
                                                                      where: str) -> None:
    file = write(tmp_path, {where: {"listen": "gateway:8700"}})
    data = tmp_path / "data"
    for arguments in (["up", "--data", str(data)], ["config", "check"]):
        done = run_quire(*arguments, "--config", file, home=tmp_path)
        assert done.returncode == 2 and "no IP address" in done.stderr, done
    assert not data.exists()


def test_a_file_that_is_no_yaml_or_not_there_is_refused_by_name(tmp_path: Path) -> None:
    broken = write(tmp_path, "models: {writer: [")
    for file in (broken, str(tmp_path / "missing.yaml")):
        done = run_quire("up", "--data", str(tmp_path / "data"), "--config", file)
        assert done.returncode == 2, done
        assert Path(file).name in done.stderr


def test_an_unset_variable_is_named(tmp_path: Path) -> None:
    done = run_quire(*up_command(tmp_path / "data", tmp_path, GOOD), home=tmp_path)
    assert done.returncode == 2, done
    assert "LOCAL_KEY" in done.stderr and done.stdout == ""


def test_a_missing_secret_file_is_named(tmp_path: Path) -> None:
    config = {**GOOD, "providers": {"local": {**PROVIDER, "api_key": "file:no/such/file"}}}
    done = run_quire(*up_command(tmp_path / "data", tmp_path, config), home=tmp_path)
    assert done.returncode == 2, done
    assert "no/such/file" in done.stderr


def test_a_secret_in_the_file_itself_is_refused_and_not_repeated(tmp_path: Path) -> None:
    config = {**GOOD, "providers": {"local": {**PROVIDER, "api_key": "sk-inline-canary"}}}
    done = run_quire(*up_command(tmp_path / "data", tmp_path, config), home=tmp_path)
    assert done.returncode == 2, done
    assert "api_key" in done.stderr and "env:" in done.stderr
    assert "sk-inline-canary" not in done.stderr + done.stdout


@pytest.mark.parametrize("name", ["nonsense", "anthropic", "model.gguf", ""])
def test_use_of_an_unknown_name_is_wrong_usage(tmp_path: Path, name: str) -> None:
    done = run_quire(*up_command(tmp_path / "data", tmp_path, None, ("--use", name)),
                     home=tmp_path)
    assert done.returncode == 2, done
    assert done.stdout == ""
    assert "openai" in done.stderr, "the names that would be right are not told"


def test_use_openai_needs_its_variable_and_names_it(tmp_path: Path) -> None:
    done = run_quire(*up_command(tmp_path / "data", tmp_path, None, ("--use", "openai")),
                     home=tmp_path)
    assert done.returncode == 2, done
    assert "OPENAI_API_KEY" in done.stderr


@pytest.mark.parametrize("arguments", [
    ["--nonsense"], ["fly"], ["up", "--nonsense"], ["up", "--listen", "nowhere"],
    ["up", "--listen", "127.0.0.1:99999"], ["keys"], ["keys", "fly"], ["call"],
    ["keys", "create"], ["config", "fly"]], ids=" ".join)
def test_wrong_usage_ends_with_2(arguments: list[str]) -> None:
    done = run_quire(*arguments)
    assert done.returncode == 2, done
    assert done.stdout == "" and done.stderr


def test_config_check_is_content_with_a_right_file(tmp_path: Path) -> None:
    done = run_quire("config", "check", "--config", write(tmp_path, GOOD), env=KEY)
    assert done.returncode == 0, done


def test_config_print_shows_what_is_in_force_without_secrets(tmp_path: Path) -> None:
    file = write(tmp_path, {**GOOD, "limits": {"retries": 1}})
    done = run_quire("config", "print", "--config", file, "--json", env=KEY)
    assert done.returncode == 0, done
    assert KEY["LOCAL_KEY"] not in done.stdout + done.stderr
    printed = json.loads(done.stdout)
    assert int(printed["limits"]["retries"]) == 1
    assert printed["models"]["writer"]["upstream_model"] == "tiny"
    assert KEY["LOCAL_KEY"] not in run_quire("config", "print", "--config", file, env=KEY).stdout


def test_the_environment_beats_the_file(tmp_path: Path) -> None:
    file = write(tmp_path, {**GOOD, "limits": {"retries": 1}})
    env = KEY | {"QUIRE_LIMITS__RETRIES": "4"}
    done = run_quire("config", "print", "--config", file, "--json", env=env)
    assert int(json.loads(done.stdout)["limits"]["retries"]) == 4
    env = KEY | {"QUIRE_LIMITS__RETRIES": "many"}
    done = run_quire("config", "check", "--config", file, env=env)
    assert done.returncode == 2 and "QUIRE_LIMITS__RETRIES" in done.stderr
    assert file not in done.stderr, "the file is right by itself"
    flag = run_quire("up", "--data", str(tmp_path / "data"), "--config", file, "--listen",
                     "nowhere", env=KEY)
    assert flag.returncode == 2 and "--listen: " in flag.stderr, flag
    assert "QUIRE_" not in flag.stderr and file not in flag.stderr, flag


def test_version_is_one_json_document() -> None:
    done = run_quire("version", "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["version"]
    assert done.stdout.count("\n") == 1
    assert run_quire("version").returncode == 0


def test_help_goes_to_stdout_and_ends_with_0() -> None:
    for arguments in (["--help"], ["up", "--help"], ["keys", "--help"], ["sim", "--help"]):
        done = run_quire(*arguments)
        assert done.returncode == 0, done
        assert "--" in done.stdout and done.stderr == ""


def test_the_socket_and_the_folder_belong_to_the_owner_alone(up: Up) -> None:
    mode = (up.data / "quire.sock").stat().st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600
    for file in up.data.rglob("*"):
        assert not stat.S_IMODE(file.stat().st_mode) & 0o022, file


def test_call_answers_protobuf_json(up: Up) -> None:
    done = up.cli("call", "auth.ListKeys", "{}")
    assert done.returncode == 0, done
    made = json.loads(done.stdout)
    assert json.dumps(made).count("key_") >= 1
    assert str(up.api_key) not in done.stdout


@pytest.mark.parametrize(("arguments", "code"), [
    (["auth.Nothing", "{}"], 1), (["nothing.ListKeys", "{}"], 1), (["nonsense", "{}"], 2),
    (["auth.ListKeys", "{"], 2), (["auth.ListKeys", '{"nonsense": 1}'], 2)])
def test_a_wrong_call_says_what_is_wrong(up: Up, arguments: list[str], code: int) -> None:
    done = up.cli("call", *arguments)
    assert done.returncode == code, done
    assert done.stdout == "" and done.stderr


def test_a_stream_that_breaks_off_is_a_failed_call(tmp_path: Path) -> None:
    ask_for_text = json.dumps({"request": {"model": "tiny", "messages": [
        {"role": "user", "parts": [{"text": "hello"}]}]}})
    with ScriptedUpstream() as upstream:
        config = {"providers": {"local": local_provider(upstream)},
                  "models": {"tiny": model("tiny")}, "limits": {"retries": 0}}
        with Up(config, data=tmp_path / "data", env={"LOCAL_KEY": PROVIDER_KEY}) as running:
            whole = running.cli("call", "prompts.Chat", ask_for_text)
            assert whole.returncode == 0, whole
            upstream.play("tiny", {"do": "text", "stop_after_events": 4})
            broken = running.cli("call", "prompts.Chat", ask_for_text)
    assert broken.returncode == 1, broken
    lines = broken.stdout.splitlines()
    assert len(lines) > 2 and json.loads(lines[-1])["error"]["code"] == "stream_interrupted"


def test_a_command_without_a_running_process_says_so(tmp_path: Path) -> None:
    done = run_quire("keys", "list", "--data", str(tmp_path / "nowhere"))
    assert done.returncode == 1, done
    assert "quire up" in done.stderr and done.stdout == ""


def test_keys_are_created_listed_and_revoked_by_command(up: Up) -> None:
    done = up.cli("keys", "create", "--name", "mine", "--scopes", "inference,keys:write",
                  "--expires", "30d", "--json")
    assert done.returncode == 0, done
    made = json.loads(done.stdout)
    assert is_well_formed(made["key"]) and made["id"].startswith("key_")
    assert sorted(made["scopes"]) == ["inference", "keys:write"]
    assert made["expires_at"]
    assert ask(up, made["key"], model="sim").status == 200

    listed = up.cli("keys", "list", "--json")
    assert listed.returncode == 0 and made["id"] in listed.stdout
    assert made["key"] not in listed.stdout

    assert up.cli("keys", "revoke", made["id"]).returncode == 0
    refused = wait_until(lambda: not_accepted(up, made["key"]), "the revocation in force")
    assert_error(refused, 401, "api_key_revoked")


def not_accepted(up: Up, key: str) -> Any:
    answer = ask(up, key, model="sim")
    return answer if answer.status != 200 else None


def test_a_key_without_scopes_is_for_inference(up: Up) -> None:
    made = json.loads(up.cli("keys", "create", "--name", "plain", "--json").stdout)
    assert made["scopes"] == ["inference"]
    assert not made.get("expires_at")


@pytest.mark.parametrize("arguments", [
    ["create", "--name", "x", "--scopes", "fly"], ["create", "--name", "x", "--expires", "soon"],
    ["revoke", "key_01ARZ3NDEKTSV4RRFFQ69G5FAV"]], ids=" ".join)
def test_wrong_key_commands_change_nothing(up: Up, arguments: list[str]) -> None:
    before = json.loads(up.cli("keys", "list", "--json").stdout)
    done = up.cli("keys", *arguments)
    assert done.returncode == (1 if arguments[0] == "revoke" else 2), done
    assert done.stderr
    assert json.loads(up.cli("keys", "list", "--json").stdout) == before


def test_keys_are_managed_over_http_with_url_and_key(up: Up) -> None:
    env = {"QUIRE_API_KEY": str(up.api_key)}
    done = run_quire("keys", "create", "--name", "remote", "--url", up.url, "--json", env=env)
    assert done.returncode == 0, done
    made = json.loads(done.stdout)
    assert ask(up, made["key"], model="sim").status == 200
    listed = run_quire("keys", "list", "--url", up.url, "--json", env=env)
    assert made["id"] in listed.stdout
    assert run_quire("keys", "revoke", made["id"], "--url", up.url, env=env).returncode == 0
    wrong = run_quire("keys", "list", "--url", up.url, "--json", env={"QUIRE_API_KEY": "no"})
    assert wrong.returncode == 1 and wrong.stdout == ""


def test_more_keys_than_fit_a_page_are_listed_to_the_last() -> None:
    with Up() as many:
        with ThreadPoolExecutor(8) as pool:
            made = pool.map(lambda i: many.call("POST", "/api/v1/keys", many.api_key,
                                                {"name": f"k{i}"}).json()["id"], range(1005))
            ids = set(made)
        env = {"QUIRE_API_KEY": str(many.api_key)}
        for listed in (many.cli("keys", "list", "--json"),
                       run_quire("keys", "list", "--url", many.url, "--json", env=env)):
            keys = json.loads(listed.stdout)["data"]
            assert len(keys) == 1006 and ids < {key["id"] for key in keys}


def test_output_that_cannot_be_written_is_a_failure(tmp_path: Path) -> None:
    def run(command: str, **streams: Any) -> tuple[int, str, str]:
        done = subprocess.run([str(binary()), *command.split()], text=True, timeout=20,
                              env=clean_environment(tmp_path), **({"stdout": subprocess.PIPE,
                              "stderr": subprocess.PIPE} | streams))
        return done.returncode, done.stdout, done.stderr

    with Path("/dev/full").open("w") as full:
        for command in ("version", "config reference"):
            code, _, said = run(command, stdout=full)
            assert code == 1 and said == "quire: cannot write to stdout: No space left on device\n"
        assert run("version", stderr=full)[0] == 0
        assert run("nonsense", stderr=full)[0] == 2
        assert run("version", stdout=full, stderr=full)[0] == 1


@contextmanager
def answering(text: str) -> Iterator[str]:
    """The URL of a server that is no Quire and gives this to every request."""
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize("text", ["[]", '"x"', "3", '{"data": [1]}', "<html>"])
def test_an_answer_of_another_kind_is_a_failure(text: str) -> None:
    with answering(text) as url:
        for command in ("keys list", "keys create --name x", "prompts list",
                        "credits entries"):
            done = run_quire(*command.split(), "--url", url, env={"QUIRE_API_KEY": "qk_live_x"})
            assert done.returncode == 1 and done.stderr, (command, done)


def test_a_socket_with_too_long_a_path_is_named(tmp_path: Path) -> None:
    done = run_quire("keys", "list", "--data", str(tmp_path / ("x" * 200)))
    assert done.returncode == 2 and "too long" in done.stderr, done


def test_a_folder_is_no_configuration(tmp_path: Path) -> None:
    done = run_quire("config", "check", "--config", str(tmp_path))
    assert done.returncode == 2 and str(tmp_path) in done.stderr, done


def test_with_several_organizations_the_operator_names_one_where_it_matters(tmp_path: Path) -> None:
    with Up(data=tmp_path / "data") as up:
        assert up.cli("call", "auth.CreateOrganization", '{"name":"second"}').returncode == 0
        organizations = json.loads(up.cli("call", "auth.ListOrganizations", "{}").stdout)
        ids = [one["id"] for one in organizations["organizations"]]
        assert len(ids) == 2
        assert up.cli("credits", "verify").returncode == 0
        assert '"running"' in up.cli("doctor").stdout
        for command in (["keys", "list"], ["credits", "grant", "5", "--reason", "gift"]):
            alone = up.cli(*command)
            assert alone.returncode == 2 and "--org" in alone.stderr, alone.stderr
            assert up.cli(*command, "--org", ids[1]).returncode == 0


def test_a_url_may_be_the_one_that_libraries_are_given(tmp_path: Path) -> None:
    with Up(data=tmp_path / "data") as up:
        environment = {"QUIRE_API_KEY": up.api_key or ""}
        for url in (up.url, f"{up.url}/v1"):
            done = run_quire("credits", "balance", "--url", url, home=tmp_path, env=environment)
            assert done.returncode == 0, done.stderr
        elsewhere = run_quire("credits", "balance", "--url", f"{up.url}/nowhere", home=tmp_path,
                              env=environment)
        assert elsewhere.returncode == 1
        assert "/nowhere/api/v1/credits/balance" in elsewhere.stderr, elsewhere.stderr
    nobody = run_quire("credits", "balance", "--url", "http://127.0.0.1:1", home=tmp_path,
                       env=environment)
    assert nobody.returncode == 1
    assert "127.0.0.1:1" in nobody.stderr and "--data" not in nobody.stderr
