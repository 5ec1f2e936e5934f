from __future__ import annotations

from tfx_janitor.payload.verification import Damage, Level, Verification


def test_damage_reads_as_a_sentence() -> None:
    assert str(Damage("saved_model.pb", "is missing")) == "saved_model.pb is missing"
    assert str(Damage(".", "is missing")) == "the payload is missing"
    assert str(Damage("x.index", "lacks it", "a/b")) == "x.index lacks it (tensor a/b)"


def test_levels_are_their_names() -> None:
    assert [str(level) for level in Level] == ["structure", "checksums", "load", "smoke"]
    assert Level("load") is Level.LOAD
    assert [level for level in Level if level.loads] == [Level.LOAD, Level.SMOKE]


def test_whole_means_no_damage() -> None:
    whole = Verification("/m", "SavedModel", Level.STRUCTURE, (), 1, 2, 3)
    assert whole.whole
    hurt = Verification("/m", "SavedModel", Level.STRUCTURE, (Damage(".", "is missing"),), 1, 2, 3)
    assert not hurt.whole
