"""Explanations as they are printed, letter by letter, and every reason that there is in at least one of them.

The golden files beside this one are read by people before they are committed. After a change that is meant:

    REWRITE_GOLDEN=1 scripts/test.sh tests/cli/golden

writes them anew; `git diff` shows what changed. docs/explaining.md shows some of them, to be changed by hand.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

import tfx_janitor.retention as retention
from tests.builders import History, Made
from tests.cli.conftest import Call
from tests.cli.golden.stories import NOW, STORIES, Question, Story
from tfx_janitor.policy.keep import Keep
from tfx_janitor.policy.rules import CheckpointRule

HERE = Path(__file__).parent
DOCUMENTATION = HERE.parents[2] / "docs" / "explaining.md"
REWRITE = "REWRITE_GOLDEN"

HOLDS = (
    "active-execution",
    "active-run",
    "newest",
    "latest-blessed",
    "served",
    "pinned",
    "external",
    "outside-roots",
    "shared-payload",
    "too-young",
    "no-verified-survivor",
    "newest-checkpoint",
    "evidence",
)
"""Section 3 of the contract, and one that `best` needs."""

NOT_UNDERSTOOD = (
    "state",
    "no-producer",
    "uri",
    "payload",
    "metric",
    "mixed-types",
    "damaged-checkpoint",
    "ambiguous-checkpoint",
    "no-step",
)

WITHOUT_KEEP = ("unless",)
"""Words that only take away."""


def codes() -> set[str]:
    """Every code that an explanation may show."""
    words = [*Keep.model_fields, *CheckpointRule.model_fields]
    return {
        *(f"hold.{name}" for name in HOLDS),
        *(f"unknown.{name}" for name in NOT_UNDERSTOOD),
        *(f"keep.{word}" for word in words if word not in WITHOUT_KEEP),
        *(f"expire.{word}" for word in words),
        "keep.prunes-inside",
        "expire.all",
    }


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_what_is_printed(call: Call, tmp_path: Path, story: Story):
    history = History(tmp_path)
    different = []
    for question in story(history):
        printed = asked(call, history, question)
        golden = HERE / question.golden
        if REWRITE in os.environ:
            golden.write_text(printed, encoding="utf-8")
        elif not golden.exists() or golden.read_text(encoding="utf-8") != printed:
            different.append(f"{question.golden} should say, if this is meant:\n{printed}")
    assert not different, "\n".join(different)


def asked(call: Call, history: History, question: Question) -> str:
    about = question.about.id if isinstance(question.about, Made) else question.about
    name = question.golden
    format = "json" if name.endswith(".json") else "tree" if name.endswith(".tree.txt") else "table"
    options = ["--now", NOW, "--format", format, *(["--at", question.at] if question.at else [])]
    answer = call("--metadata", history.url, "explain", about, "--policy", question.policy, *options)
    assert answer.code == 0, answer.err
    printed = answer.out.replace(str(history.home), "/srv")
    # Plans and policies are hashed with the paths of this test in them.
    return re.sub(r"sha256:[0-9a-f]{64}", "sha256:...", printed)


def test_every_reason_is_in_a_golden_file():
    told = "\n".join(path.read_text(encoding="utf-8") for path in HERE.glob("*.txt"))
    found = set(re.findall(r"\[((?:hold|keep|expire|unknown)\.[\w-]+)\]", told))
    assert sorted(codes() - found) == []
    assert sorted(found - codes()) == []


def test_the_codes_are_those_that_the_code_makes():
    # Of a directory that no artifact claims there is no artifact to explain.
    modules = [path for path in Path(retention.__path__[0]).glob("*.py") if path.stem != "orphans"]
    source = "\n".join(path.read_text() for path in modules)
    made = set(re.findall(r'"((?:hold|unknown)\.[a-z-]+)"', source))
    assert made == {code for code in codes() if code.startswith(("hold.", "unknown."))}


def test_every_step_of_a_path_is_connected_to_the_next():
    golden = [path for path in HERE.iterdir() if path.suffix in (".txt", ".json")]
    assert [path.name for path in golden if "not connected" in path.read_text(encoding="utf-8")] == []


def test_the_documentation_shows_golden_files():
    documentation = DOCUMENTATION.read_text(encoding="utf-8")
    shown = re.findall(r"```\n\$ tfx-janitor explain .*\n((?:.*\n)*?)```", documentation)
    golden = [path.read_text(encoding="utf-8") for path in HERE.glob("*.txt")]
    assert len(shown) == 4
    assert [output for output in shown if output not in golden] == []


def test_no_golden_file_is_left_over():
    stories = (HERE / "stories.py").read_text()
    golden = [path.name for path in HERE.iterdir() if path.suffix in (".txt", ".json")]
    assert [name for name in golden if f'"{name}"' not in stories] == []
