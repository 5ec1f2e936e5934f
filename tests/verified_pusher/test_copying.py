from __future__ import annotations

import os
from pathlib import Path

import pytest

from tfx_janitor.verified_pusher import content, copying
from tfx_janitor.verified_pusher.errors import ModelRefused, PushError

from .conftest import everything, flip_bit


@pytest.fixture
def source(tmp_path: Path) -> Path:
    model = tmp_path / "model"
    for name in ("variables", "assets", "assets.extra", "empty", "saved_model.pb_x"):
        (model / name).mkdir(parents=True)
    for name in (
        "saved_model.pb",
        "fingerprint.pb",
        "saved_model.pbtxt",
        "assets/saved_model.pb.sig",
        "saved_model.pb_x/a[1]*",
        "variables/variables.data-00000-of-00001",
    ):
        (model / name).write_bytes(name.encode() * 1000)
    (model / "assets.extra" / "nothing").write_bytes(b"")
    return model


def test_every_file_and_directory_is_copied(source: Path, tmp_path: Path) -> None:
    tree = content.scan(str(source))
    files = copying.copy(tree, str(tmp_path / "copy"))
    assert everything(tmp_path / "copy") == everything(source)
    assert files == content.digest(tree)
    copying.read_back(str(tmp_path / "copy"), files)


def test_files_larger_than_the_buffer_are_copied_whole(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(content, "CHUNK", 7)
    copying.copy(content.scan(str(source)), str(tmp_path / "copy"))
    assert everything(tmp_path / "copy") == everything(source)


def test_a_link_becomes_a_file(source: Path, tmp_path: Path) -> None:
    (source / "alias").symlink_to("saved_model.pb")
    copying.copy(content.scan(str(source)), str(tmp_path / "copy"))
    assert not (tmp_path / "copy" / "alias").is_symlink()
    assert (tmp_path / "copy" / "alias").read_bytes() == (source / "saved_model.pb").read_bytes()


def test_a_model_server_of_another_user_may_read_what_the_umask_allows(source: Path, tmp_path: Path) -> None:
    (source / "saved_model.pb").chmod(0o600)
    before = os.umask(0o022)
    try:
        copying.copy(content.scan(str(source)), str(tmp_path / "copy"))
    finally:
        os.umask(before)
    assert (tmp_path / "copy").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "copy" / "saved_model.pb").stat().st_mode & 0o777 == 0o644


def test_nothing_is_copied_over_what_is_there(source: Path, tmp_path: Path) -> None:
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "mine").write_text("")
    with pytest.raises(PushError, match="holds 'mine'"):
        copying.copy(content.scan(str(source)), str(tmp_path / "copy"))
    assert everything(tmp_path / "copy") == {"mine": b""}


def test_a_file_that_grows_while_it_is_copied_is_refused(source: Path, tmp_path: Path) -> None:
    tree = content.scan(str(source))
    with open(source / "fingerprint.pb", "ab") as file:
        file.write(b"more")
    with pytest.raises(ModelRefused, match=r"fingerprint\.pb changed while it was copied"):
        copying.copy(tree, str(tmp_path / "copy"))


@pytest.mark.parametrize("damage", ["flipped", "missing", "added"])
def test_a_copy_that_reads_back_differently_is_found(source: Path, tmp_path: Path, damage: str) -> None:
    copy = tmp_path / "copy"
    files = copying.copy(content.scan(str(source)), str(copy))
    if damage == "flipped":
        flip_bit(copy / "fingerprint.pb")
    elif damage == "missing":
        (copy / "fingerprint.pb").unlink()
    else:
        (copy / "fingerprint.pb2").write_text("")
    with pytest.raises(PushError, match=r"reads back differently: fingerprint\.pb"):
        copying.read_back(str(copy), files)
