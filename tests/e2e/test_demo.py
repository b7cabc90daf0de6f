"""./dev demo's own program: it tells the whole story, and the figures in it are Quire's own."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from quire_process import ROOT, binary


def run_demo(*arguments: str) -> tuple[dict[str, Any], str]:
    command = [sys.executable, str(ROOT / "tools/demo.py"), "--quire", str(binary()), "--json",
               *arguments]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60)
    return json.loads(run.stdout), run.stderr


def test_the_whole_story() -> None:
    facts, page = run_demo("bees on a roof")
    assert facts["ok"], page
    assert [(prompt["name"], prompt["version"]) for prompt in facts["prompts"]] == [
        ("blog_post", 1), ("repeat", 1)]
    assert facts["simulated"] and facts["text"].startswith("This is simulated text from Quire")
    log = facts["page"]
    assert log["id"] == facts["request_id"] and log["status"] == "completed"
    assert log["prompt"] == {"name": "blog_post", "version": 1}
    assert [step["name"] for step in facts["steps"]] == [
        "auth", "render", "admit", "review.input", "queue", "upstream", "first_token",
        "review.output", "settle"]
    tokens = {line["class"]: line["tokens"] for line in log["cost"]["lines"]}
    assert tokens == {"input": facts["usage"]["input_tokens"],
                      "output": facts["usage"]["output_tokens"]}
    shown = {kind: (answer["finish_reason"], answer["decisions"][0]["rule"])
             for kind, answer in facts["review"].items()}
    assert shown == {"redacted": ("stop", "cards"), "blocked": ("content_filter", "banned")}
    assert "4111" not in facts["review"]["redacted"]["text"]
    charged = [log["cost"]["amount"], *(answer["cost"] for answer in facts["review"].values())]
    used = [-entry["amount"] for entry in facts["entries"] if entry["kind"] == "usage"]
    assert sorted(used) == sorted(charged)
    total = sum(entry["amount"] for entry in facts["entries"])
    assert total == facts["balance"]["available"] and facts["balance"]["held"] == 0
    for told in (facts["request_id"], "render", "settle", "redact by the rule cards",
                 f"{facts['balance']['available']:,}"):
        assert told in page, told


def test_what_goes_wrong_is_said() -> None:
    facts, page = run_demo("--base-url", "http://127.0.0.1:9/v1")
    assert not facts["ok"] and "127.0.0.1:9" in facts["error"]
    assert "demo: GET http://127.0.0.1:9/v1/models" in page
