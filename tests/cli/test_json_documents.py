"""`--format json`: every document has the keys that docs/metrics.md promises, and no others."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipelines import messy_store
from tests.cli.conftest import Call

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"
ROW = re.compile(r"^\| `([a-z-]+/v1)` \| [^|]* \| (.*) \|$", re.MULTILINE)
SERVED = "serving/digits"
JUDGING = ["--policy", "janitor.yaml", "--now", "2099-01-01"]
BECAUSE = ["--reason", "found by audit"]

COMMANDS = [
    ("plan/v1", ["plan", *JUDGING]),
    ("policy-explanation/v1", ["plan", "--policy", "janitor.yaml", "--explain-policy"]),
    ("comparison/v1", ["plan", *JUDGING, "--compare", "./janitor.yaml"]),
    ("replay/v1", ["plan", *JUDGING, "--replay"]),
    ("audit/v1", ["audit", *JUDGING]),
    ("verification/v1", ["verify", SERVED, "nothing"]),
    ("checkpoints/v1", ["checkpoints", "pipelines/digits/Trainer/model_run/32", "--broken"]),
    ("pins/v1", ["pin", "84", *BECAUSE]),
    ("pins/v1", ["pins"]),
    ("pins/v1", ["unpin", "84"]),
    ("outcomes/v1", ["discard", "16", *BECAUSE, "--policy", "janitor.yaml"]),
    ("outcomes/v1", ["restore", "16"]),
    ("outcomes/v1", ["forget", "12", *BECAUSE]),
    ("outcomes/v1", ["close", "60", *BECAUSE]),
    ("outcomes/v1", ["purge"]),
    ("outcomes/v1", ["withdraw", SERVED, "1699999801", *BECAUSE]),
    ("adoption/v1", ["adopt", SERVED, "1699999901", *BECAUSE]),
    ("rollback/v1", ["rollback", SERVED]),
    ("outcomes/v1", ["gc", *JUDGING]),
    ("history/v1", ["history"]),
    ("history-verification/v1", ["history", "--verify"]),
]


def test_each_document_has_the_keys_that_the_page_promises(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: Call
):
    promised = {
        schema: {"schema", *re.findall(r"`(\w+)`", keys)}
        for schema, keys in ROW.findall(PAGE.read_text(encoding="utf-8"))
        if "](" not in keys  # another page has them
    }
    messy_store.main([str(tmp_path / "messy")])
    monkeypatch.chdir(tmp_path / "messy")
    monkeypatch.setenv("TFX_JANITOR_METADATA", f"sqlite://{tmp_path}/messy/metadata.db")
    seen = set()
    for schema, command in COMMANDS:
        answer = call(*command, "--format", "json")
        assert answer.code in (0, 1), (command, answer.err)
        assert answer.out.isascii()
        assert answer.json["schema"] == f"tfx-janitor/{schema}"
        assert answer.json.keys() == promised[schema], command
        seen.add(schema)
    assert seen == promised.keys()
