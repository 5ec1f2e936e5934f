"""`tfx-janitor report`: what it writes, and what it leaves as it is."""

from __future__ import annotations

import base64
import gzip
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from tests.builders import TRAINER, History, Output
from tests.cli.conftest import Call, call  # noqa: F401
from tests.page.messy_history import HOSTILE


def data_of(page: str) -> Any:
    (packed,) = re.findall(r'<script type="text/plain" id="data">([\w+/=]+)</script>', page)
    return json.loads(gzip.decompress(base64.b64decode(packed)))


@pytest.fixture
def written(call: Call, history: History, policy: Path, tmp_path: Path) -> str:  # noqa: F811
    out = tmp_path / "report.html"
    answer = call("--metadata", history.url, "report", "--policy", policy, "--out", out)
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.startswith(f"{out}: ")
    return out.read_text()


def test_a_name_that_is_markup_is_a_text(written: str) -> None:
    assert HOSTILE not in written
    assert "&lt;/script&gt;&lt;script&gt;alert(1)&lt;/script&gt;" in written
    assert HOSTILE in data_of(written)["texts"]


def test_findings_name_the_command_that_mends_them(written: str) -> None:
    assert "<code>missing-payload</code>" in written
    assert "<code>tfx-janitor forget 18 --reason" in written


def test_every_script_is_named_by_its_hash_and_no_other_may_run(written: str) -> None:
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]+)"', written)
    assert "default-src 'none'" in policy and "script-src 'unsafe-inline'" not in policy
    assert policy.count("sha256-") == written.count("<script>")


def test_no_name_that_no_text_can_hold_stops_it(call: Call, tmp_path: Path) -> None:  # noqa: F811
    history = History(tmp_path)
    uri = f"{history.root}/\x1b[2J\u202e\n{os.fsdecode(b'x')}]]>--><!--"
    history.pipeline("\x00\u2028 pipeline").run().execute(
        TRAINER, outputs={"model": Output("Model", uri=uri)}
    )
    out = tmp_path / "report.html"
    answer = call("--metadata", history.url, "report", "--policy", history.policy_file(), "--out", out)
    assert answer.code == 0
    assert "\x1b" not in out.read_text() and "\u202e" not in out.read_text()


def test_it_changes_nothing(call: Call, history: History, policy: Path, tmp_path: Path) -> None:  # noqa: F811
    before = history.database.read_bytes()
    out = tmp_path / "report.html"
    call("--metadata", history.url, "report", "--policy", policy, "--out", out, "--no-replay")
    assert history.database.read_bytes() == before
    assert data_of(out.read_text())["growth"]["kept"] is None


def test_it_replaces_its_own_page_and_no_other_file(
    call: Call,  # noqa: F811
    history: History,
    policy: Path,
    tmp_path: Path,
) -> None:
    out = tmp_path / "report.html"
    command = ("--metadata", history.url, "report", "--policy", policy, "--no-replay", "--out")
    assert [call(*command, out).code for _ in range(2)] == [0, 0]
    before = history.database.read_bytes()
    refused = call(*command, history.database)
    assert refused.code == 2 and "is no page of" in refused.err
    assert history.database.read_bytes() == before


def test_a_store_with_nothing_in_it_has_a_page(call: Call, tmp_path: Path) -> None:  # noqa: F811
    history = History(tmp_path)
    out = tmp_path / "report.html"
    answer = call("--metadata", history.url, "report", "--policy", history.policy_file(), "--out", out)
    assert answer.code == 0
    assert data_of(out.read_text())["artifacts"]["id"] == []
