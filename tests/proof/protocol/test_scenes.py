"""All laws hold where every guard is in place; without any one of them a law breaks, by the written trace.

`python -m tests.proof.protocol > tests/proof/protocol/traces.txt` writes the traces anew.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.proof.protocol import laws
from tests.proof.protocol.__main__ import told
from tests.proof.protocol.scenes import GUARDS, HOLDS, SCENES, Scene
from tests.proof.protocol.world import CLAIM_FIRST

TRACES = (Path(__file__).parent / "traces.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_a_scene_is_as_written_down(scene: Scene) -> None:
    written = [f"# {part}".rstrip() for part in TRACES.removeprefix("# ").split("\n# ")]
    assert told(scene).rstrip() in written
    found = next(part for part in written if part.startswith(f"# {scene.name}\n")).splitlines()[1]
    assert found.endswith(f": {scene.broken.__name__}") if scene.broken else "broken" not in found


def test_every_guard_is_taken_away_once() -> None:
    """A guard that no scene misses would be one that may go unnoticed."""
    fields = set(CLAIM_FIRST.__dataclass_fields__) - {"bytes_before_deleted"}
    missed = {
        name
        for scene in SCENES
        for name in fields
        if scene.broken and getattr(scene.protocol, name) != getattr(CLAIM_FIRST, name)
    }
    assert missed == fields
    assert all(scene.broken for scene in GUARDS)


def test_every_law_holds_somewhere_and_breaks_somewhere() -> None:
    assert {law for scene in HOLDS for law in scene.laws} == set(laws.ALL)
    assert {scene.broken for scene in SCENES if scene.broken} == set(laws.ALL)
