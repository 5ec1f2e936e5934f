from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.builders import flip_bit
from tfx_janitor import effects
from tfx_janitor.verified_pusher import content, copying
from tfx_janitor.verified_pusher.content import ContentFile, FoundFile, Tree
from tfx_janitor.verified_pusher.copying import Archive
from tfx_janitor.verified_pusher.durability import Unsynced
from tfx_janitor.verified_pusher.errors import ModelRefused, PushError

from .conftest import everything


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


def _copy(source: Path, target: Path) -> tuple[ContentFile, ...]:
    tree = content.scan(str(source))
    _lay_out_and_copy(tree, target, Unsynced())
    return content.digest(tree)


def _lay_out_and_copy(tree: Tree, target: Path, unsynced: Unsynced) -> None:
    copying.lay_out(tree, (), str(target), unsynced)
    copying.copy(tree.files, str(target), unsynced)


def test_every_file_and_directory_is_copied(source: Path, tmp_path: Path) -> None:
    files = _copy(source, tmp_path / "copy")
    assert everything(tmp_path / "copy") == everything(source)
    copying.read_back(str(tmp_path / "copy"), files)


def _cannot(number: int) -> Callable[..., Any]:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    return refuse


def _copies_nothing(*_: object) -> int:
    return 0


@pytest.mark.parametrize(
    "copy_range",
    [_cannot(errno.EXDEV), _cannot(errno.ENOSYS), _cannot(errno.EINVAL), _copies_nothing],
    ids=["other device", "old kernel", "odd file system", "file system that says 0"],
)
def test_where_the_system_cannot_copy_we_do(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, copy_range: Callable[..., Any]
) -> None:
    monkeypatch.setattr(copying, "_PIECE", 700)
    monkeypatch.setattr(copying, "_file_system", lambda device: "nfs4")
    monkeypatch.setattr(effects, "copy_range", copy_range)
    _copy(source, tmp_path / "copy")
    assert everything(tmp_path / "copy") == everything(source)


def test_where_the_system_stops_in_the_middle_we_go_on(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy_range = effects.copy_range

    def copy_the_first_bytes(source: int, target: int, count: int, position: int, name: str) -> int:
        return copy_range(source, target, 500, position, name) if position < 1500 else 0

    monkeypatch.setattr(copying, "_PIECE", 700)
    monkeypatch.setattr(copying, "_file_system", lambda device: "nfs4")
    monkeypatch.setattr(effects, "copy_range", copy_the_first_bytes)
    _copy(source, tmp_path / "copy")
    assert everything(tmp_path / "copy") == everything(source)


@pytest.mark.parametrize(
    ("file_system", "ours"), [("ext4", True), ("xfs", True), ("nfs4", False), ("", False)]
)
def test_the_system_copies_where_the_file_system_may_have_a_way_of_its_own(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file_system: str, ours: bool
) -> None:
    monkeypatch.setattr(copying, "_file_system", lambda device: file_system)
    monkeypatch.setattr(effects, "clone", _cannot(errno.EOPNOTSUPP))
    monkeypatch.setattr(effects, "copy_range" if ours else "write", _cannot(errno.EIO))
    _copy(source, tmp_path / "copy")
    assert everything(tmp_path / "copy") == everything(source)


class TestRoomForALargeFile:
    @pytest.fixture(autouse=True)
    def _page_by_page(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(copying, "_file_system", lambda device: "ext4")
        monkeypatch.setattr(copying, "_STEP", 30_000)
        monkeypatch.setattr(effects, "clone", _cannot(errno.EOPNOTSUPP))

    def _kinds(self, source: Path, tmp_path: Path) -> list[tuple[str, str]]:
        changes: list[tuple[str, str]] = []

        def watch(effect: effects.Effect, change: Callable[[], Any]) -> Any:
            changes.append((os.path.basename(effect.subject), effect.kind))
            return change()

        with effects.watched(watch):
            _copy(source, tmp_path / "copy")
        return changes

    def test_is_looked_for_once_before_its_bytes_come(self, source: Path, tmp_path: Path) -> None:
        kinds = self._kinds(source, tmp_path)
        shard = [kind for name, kind in kinds if name == "variables.data-00000-of-00001"]
        assert shard == ["create", "allocate", "write"]
        assert [name for name, kind in kinds if kind == "allocate"] == ["variables.data-00000-of-00001"]

    def test_and_if_there_is_none_no_byte_is_written(
        self, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(effects, "allocate", _cannot(errno.ENOSPC))
        with pytest.raises(OSError, match="No space left"):
            _copy(source, tmp_path / "copy")
        shard = tmp_path / "copy" / "variables" / "variables.data-00000-of-00001"
        assert shard.stat().st_size == 0

    def test_is_what_the_system_gives(self, tmp_path: Path) -> None:
        with (tmp_path / "shard").open("wb") as shard:
            effects.allocate(shard.fileno(), 3 << 20, "shard")
            assert os.fstat(shard.fileno()).st_blocks * 512 >= 3 << 20
            with pytest.raises(OSError, match="'a name'"):
                effects.allocate(shard.fileno(), 1 << 62, "a name")
        assert (tmp_path / "shard").stat().st_size == 3 << 20

    @pytest.mark.parametrize("number", [errno.EOPNOTSUPP, errno.ENOSYS])
    def test_need_not_be_found_where_that_cannot_be_asked(
        self, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
    ) -> None:
        monkeypatch.setattr(effects, "allocate", _cannot(number))
        _copy(source, tmp_path / "copy")
        assert everything(tmp_path / "copy") == everything(source)


def test_the_kernel_names_its_file_systems() -> None:
    assert copying._file_system(os.stat("/proc").st_dev) == "proc"
    assert copying._file_system(os.makedev(4000, 4000)) == ""


@pytest.mark.parametrize("file_system", ["ext4", "nfs4"])
def test_files_larger_than_a_step_are_copied_whole(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file_system: str
) -> None:
    monkeypatch.setattr(copying, "_file_system", lambda device: file_system)
    monkeypatch.setattr(copying, "_STEP", 7)
    monkeypatch.setattr(copying, "_PIECE", 7)
    _copy(source, tmp_path / "copy")
    assert everything(tmp_path / "copy") == everything(source)


def test_where_the_file_system_can_share_blocks_no_byte_is_copied(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def share(source_fd: int, target_fd: int, name: str) -> None:
        os.sendfile(target_fd, source_fd, 0, os.fstat(source_fd).st_size)

    monkeypatch.setattr(effects, "clone", share)
    monkeypatch.setattr(effects, "copy_range", _cannot(errno.EIO))
    monkeypatch.setattr(effects, "write", _cannot(errno.EIO))
    _copy(source, tmp_path / "copy")
    assert everything(tmp_path / "copy") == everything(source)


def test_where_blocks_cannot_be_shared_yet_all_bytes_are_copied(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def share_some(source_fd: int, target_fd: int, name: str) -> None:
        os.sendfile(target_fd, source_fd, 0, 500)
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(effects, "clone", share_some)
    _copy(source, tmp_path / "copy")
    assert everything(tmp_path / "copy") == everything(source)


@pytest.mark.parametrize("way", ["clone", "copy_range"])
def test_a_disk_that_fails_is_no_reason_to_try_another_way(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setattr(copying, "_file_system", lambda device: "nfs4")
    monkeypatch.setattr(effects, way, _cannot(errno.ENOSPC))
    with pytest.raises(OSError, match="No space left"):
        _copy(source, tmp_path / "copy")


@pytest.mark.parametrize("way", ["clone", "copy_range", "write"])
def test_an_error_names_both_files(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setattr(copying, "_file_system", lambda device: "ext4" if way == "write" else "nfs4")
    monkeypatch.setattr(effects, way, _cannot(errno.EIO))
    with pytest.raises(OSError, match=f"'{source}/(.*)' -> '{tmp_path}/copy/\\1'"):
        _copy(source, tmp_path / "copy")


def test_an_error_names_the_file_that_cannot_be_read(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "chunks", _cannot(errno.EIO))
    with pytest.raises(OSError, match=f"'{source}/[^']*'$"):
        content.digest(content.scan(str(source)))


def test_all_that_was_written_is_to_be_put_on_disk(source: Path, tmp_path: Path) -> None:
    synced: list[str] = []
    unsynced = Unsynced()

    def watch(effect: effects.Effect, change: Callable[[], Any]) -> Any:
        if effect.kind == "fsync":
            synced.append(effect.subject)
        return change()

    _lay_out_and_copy(content.scan(str(source)), tmp_path / "new" / "copy", unsynced)
    with effects.watched(watch):
        unsynced.sync()
        unsynced.sync()
    written = [tmp_path, tmp_path / "new", *(tmp_path / "new").rglob("*")]
    assert sorted(synced) == sorted(map(str, written))


def test_a_link_becomes_a_file(source: Path, tmp_path: Path) -> None:
    (source / "alias").symlink_to("saved_model.pb")
    _copy(source, tmp_path / "copy")
    assert not (tmp_path / "copy" / "alias").is_symlink()
    assert (tmp_path / "copy" / "alias").read_bytes() == (source / "saved_model.pb").read_bytes()


def test_a_model_server_of_another_user_may_read_what_the_umask_allows(source: Path, tmp_path: Path) -> None:
    (source / "saved_model.pb").chmod(0o600)
    before = os.umask(0o022)
    try:
        _copy(source, tmp_path / "copy")
    finally:
        os.umask(before)
    assert (tmp_path / "copy").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "copy" / "saved_model.pb").stat().st_mode & 0o777 == 0o644


def test_nothing_is_copied_over_what_is_there(source: Path, tmp_path: Path) -> None:
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "mine").write_text("")
    with pytest.raises(PushError, match="holds 'mine'"):
        _copy(source, tmp_path / "copy")
    assert everything(tmp_path / "copy") == {"mine": b""}


def _grow(file: Path) -> None:
    file.write_bytes(file.read_bytes() + b"more")


def _write_other_bytes(file: Path) -> None:
    flip_bit(file)
    os.utime(file, ns=(0, file.stat().st_mtime_ns + 1))


def _put_another_in_its_place(file: Path) -> None:
    status = file.stat()
    file.rename(file.with_suffix(".old"))
    file.write_bytes(file.with_suffix(".old").read_bytes())
    os.utime(file, ns=(0, status.st_mtime_ns))


def _remove(file: Path) -> None:
    file.unlink()


@pytest.mark.parametrize("change", [_grow, _write_other_bytes, _put_another_in_its_place, _remove])
def test_a_file_that_changed_since_it_was_listed_is_refused(
    source: Path, change: Callable[[Path], None]
) -> None:
    tree = content.scan(str(source))
    copying.refuse_changed(tree, content.scan(str(source)))
    change(source / "fingerprint.pb")
    with pytest.raises(ModelRefused, match=r"fingerprint\.pb changed while it was copied"):
        copying.refuse_changed(tree, content.scan(str(source)))


def test_a_file_that_was_added_since_the_others_were_listed_is_refused(source: Path) -> None:
    tree = content.scan(str(source))
    (source / "assets" / "late").write_text("")
    with pytest.raises(ModelRefused, match=r"assets/late was added while the model was copied"):
        copying.refuse_changed(tree, content.scan(str(source)))


@pytest.mark.parametrize("damage", ["flipped", "missing", "added"])
def test_a_copy_that_reads_back_differently_is_found(source: Path, tmp_path: Path, damage: str) -> None:
    copy = tmp_path / "copy"
    files = _copy(source, copy)
    if damage == "flipped":
        flip_bit(copy / "fingerprint.pb")
    elif damage == "missing":
        (copy / "fingerprint.pb").unlink()
    else:
        (copy / "fingerprint.pb2").write_text("")
    with pytest.raises(PushError, match=r"reads back differently: fingerprint\.pb"):
        copying.read_back(str(copy), files)


@pytest.mark.parametrize("damage", [_grow, os.unlink])
def test_what_need_not_be_read_must_be_there(
    source: Path, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    copy = tmp_path / "copy"
    rest, unread = content.scan(str(source)).split(["fingerprint.pb"])
    _copy(source, copy)
    flip_bit(copy / "fingerprint.pb")
    copying.read_back(str(copy), content.digest(rest), unread=unread)
    damage(copy / "fingerprint.pb")
    with pytest.raises(PushError, match=r"reads back differently: fingerprint\.pb and 0 more"):
        copying.read_back(str(copy), content.digest(rest), unread=unread)


class TestFilesThatAreLaidOut:
    FOLLOWED = ("assets.extra/nothing", "saved_model.pb", "variables/variables.data-00000-of-00001")

    @pytest.fixture
    def laid_out(self, source: Path, tmp_path: Path) -> tuple[FoundFile, ...]:
        rest, followed = content.scan(str(source)).split(self.FOLLOWED)
        copying.lay_out(rest, followed, str(tmp_path / "copy"), Unsynced())
        copying.copy(rest.files, str(tmp_path / "copy"), Unsynced())
        assert tuple(file.path for file in followed) == self.FOLLOWED
        return followed

    def test_have_their_sizes_before_their_bytes(
        self, source: Path, tmp_path: Path, laid_out: tuple[FoundFile, ...]
    ) -> None:
        for file in laid_out:
            assert (tmp_path / "copy" / file.path).read_bytes() == bytes(file.size)
        copying.fill(laid_out, str(tmp_path / "copy"), lambda path, written: None)
        assert everything(tmp_path / "copy") == everything(source)

    def test_tell_how_far_they_are_there(
        self, tmp_path: Path, laid_out: tuple[FoundFile, ...], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(copying, "_STEP", 5000)
        monkeypatch.setattr(copying, "_PIECE", 5000)
        monkeypatch.setattr(effects, "clone", _cannot(errno.EOPNOTSUPP))
        told: list[tuple[str, int]] = []

        def grew(path: str, written: int) -> None:
            original = Path(str(path).replace("copy", "model")).read_bytes()
            assert Path(path).read_bytes() == original[:written] + bytes(len(original) - written)
            told.append((os.path.basename(path), written))

        copying.fill(laid_out, str(tmp_path / "copy"), grew)
        shard = "variables.data-00000-of-00001"
        whole = [(shard, size) for size in (*range(5000, 39000, 5000), 39000)]
        assert told == [
            ("saved_model.pb", 5000),
            ("saved_model.pb", 10000),
            ("saved_model.pb", 14000),
            *whole,
        ]

    def test_are_there_at_once_where_blocks_can_be_shared(
        self, tmp_path: Path, laid_out: tuple[FoundFile, ...], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def share(source_fd: int, target_fd: int, name: str) -> None:
            os.sendfile(target_fd, source_fd, 0, os.fstat(source_fd).st_size)

        monkeypatch.setattr(effects, "clone", share)
        told: list[int] = []
        copying.fill(laid_out, str(tmp_path / "copy"), lambda path, written: told.append(written))
        assert told == [14000, 39000]

    def test_are_not_made_where_something_is(
        self, source: Path, tmp_path: Path, laid_out: tuple[FoundFile, ...]
    ) -> None:
        with pytest.raises(PushError, match="expected an empty directory"):
            copying.lay_out(content.scan(str(source)), laid_out, str(tmp_path / "copy"), Unsynced())

    def test_are_to_be_put_on_disk(self, source: Path, tmp_path: Path) -> None:
        rest, followed = content.scan(str(source)).split(self.FOLLOWED)
        unsynced, synced = Unsynced(), []

        def watch(effect: effects.Effect, change: Callable[[], Any]) -> Any:
            synced.append(effect.subject)
            return change()

        copying.lay_out(rest, followed, str(tmp_path / "copy"), unsynced)
        with effects.watched(watch):
            unsynced.sync()
        made = [tmp_path, tmp_path / "copy", *(tmp_path / "copy").rglob("*")]
        assert sorted(synced) == sorted(map(str, made))
        assert {str(tmp_path / "copy" / path) for path in self.FOLLOWED} < set(synced)


class TestAnArchive:
    def test_has_second_names_for_the_same_files(self, source: Path, tmp_path: Path) -> None:
        target = tmp_path / "archive"
        assert copying.archive(content.scan(str(source)), str(target), Archive.LINK, Unsynced()) == "link"
        assert everything(target) == everything(source)
        assert (target / "saved_model.pb").samefile(source / "saved_model.pb")

    @pytest.mark.parametrize("number", [errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP])
    def test_is_a_copy_where_no_second_names_can_be(
        self, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
    ) -> None:
        target = tmp_path / "archive"
        monkeypatch.setattr(effects, "link", _cannot(number))
        assert copying.archive(content.scan(str(source)), str(target), Archive.LINK, Unsynced()) == "copy"
        assert everything(target) == everything(source)

    def test_may_be_files_of_its_own(self, source: Path, tmp_path: Path) -> None:
        target = tmp_path / "archive"
        assert copying.archive(content.scan(str(source)), str(target), Archive.COPY, Unsynced()) == "copy"
        assert everything(target) == everything(source)
        assert not (target / "saved_model.pb").samefile(source / "saved_model.pb")

    def test_may_be_nothing(self, source: Path, tmp_path: Path) -> None:
        target = tmp_path / "archive"
        assert copying.archive(content.scan(str(source)), str(target), Archive.NONE, Unsynced()) == "none"
        assert not target.exists()

    def test_fails_where_the_disk_does(
        self, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(effects, "link", _cannot(errno.EIO))
        with pytest.raises(OSError, match="Input/output"):
            copying.archive(content.scan(str(source)), str(tmp_path / "a"), Archive.LINK, Unsynced())
