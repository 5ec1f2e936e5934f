"""The scenarios leave out no line of the deletion that makes an effect; and effects come in their order."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deletion.faults.invariants import TEMPORARY
from tests.deletion.faults.scenarios import SCENARIOS
from tests.deletion.faults.trial import Passed, Trial
from tfx_janitor import deletion, payload

AFTER_A_FAULT = {
    "payload/checkpoint_state.py: effects.unlink in _replace": "what could not be written",
}
"""What no undisturbed run does."""


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Passed]]:
    """The effects of each scenario when nothing is struck, in order."""
    return {
        name: Trial(name, build, tmp_path_factory.mktemp("recorded")).passed
        for name, build in SCENARIOS.items()
    }


def test_every_line_that_makes_an_effect_is_struck(recorded: dict[str, list[Passed]]) -> None:
    passed = {one.line for effects in recorded.values() for one in effects}
    missed = {
        where
        for file, first, last, where in lines()
        if not any(line[0] == file and first <= line[1] <= last for line in passed)
    }
    assert missed == set(AFTER_A_FAULT)


@pytest.mark.parametrize("name", ["purge", "prune", "gc"])
def test_no_byte_goes_before_the_rename_that_hides_it_is_on_disk(
    recorded: dict[str, list[Passed]], name: str
) -> None:
    """Else a power cut may undo the rename and not the removal: half a payload at a URI."""
    unsynced = 0
    for effect in (one.effect for one in recorded[name]):
        if effect.kind in ("write", "rename"):
            assert effect.kind == "write" or not unsynced, f"{effect} while something is not on disk yet"
            # Between two directories both must be; within one, and of a file's content, one.
            unsynced += 2 if effect.kind == "rename" and not effect.subject.startswith(TEMPORARY) else 1
        elif effect.kind == "fsync":
            unsynced = max(0, unsynced - 1)
        elif effect.kind == "unlink":
            assert not unsynced, f"{effect} while something is not on disk yet"


def lines() -> Iterator[tuple[str, int, int, str]]:
    """Every call in the deletion that makes an effect: file, first and last line, and where that is."""
    for package in (deletion, payload):
        assert package.__file__ is not None
        for path in sorted(Path(package.__file__).parent.rglob("*.py")):
            file = f"{path.parent.name}/{path.name}"
            for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(function, ast.FunctionDef):
                    for call in _effects(function):
                        where = f"{file}: {ast.unparse(call.func)} in {function.name}"
                        yield file, call.lineno, call.end_lineno or call.lineno, where


def _effects(function: ast.FunctionDef) -> Iterator[ast.Call]:
    for node in ast.walk(function):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            put = name.endswith("._call") and isinstance(node.args[0], ast.Constant) and node.args[0].value
            if name.startswith("effects.") or ".put_" in name or str(put).startswith("Put"):
                yield node
