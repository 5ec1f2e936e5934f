"""What would refuse a removal is found before anything is claimed, and to look for it changes nothing."""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deletion.surroundings import mounted, picture, precious
from tfx_janitor.deletion import attributes
from tfx_janitor.deletion.checkpoints import PruneOrder, prune
from tfx_janitor.deletion.claim import RemovalOrder, check_removable
from tfx_janitor.deletion.remove import TRASH, RemovalError
from tfx_janitor.payload.places import Place

_GET_FLAGS, _SET_FLAGS = 0x80086601, 0x40086602  # linux/fs.h

GRAPH, INDEX = Path("saved_model.pb"), Path("variables", "variables.index")


@pytest.fixture
def payload(tmp_path: Path) -> Path:
    """`root/7`."""
    return precious(tmp_path.resolve() / "root" / "7")


@pytest.fixture(autouse=True)
def unchanged(payload: Path) -> Iterator[None]:
    yield
    assert (payload / INDEX).read_bytes() == b"precious index"
    assert set(os.listdir(payload.parent)) <= {"7", TRASH}


def look_at(payload: Path) -> None:
    check_removable(RemovalOrder(str(payload), "artifact-7", (Place("file", str(payload.parent)),)))


@contextlib.contextmanager
def protected(path: Path, how: str) -> Iterator[None]:
    """What `chattr +i` or `+a` does, undone at the end, wherever the file has been moved by then.

    Skips the test where that cannot be done.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        try:
            flags = struct.unpack("l", fcntl.ioctl(descriptor, _GET_FLAGS, bytes(8)))[0]
            fcntl.ioctl(descriptor, _SET_FLAGS, struct.pack("l", flags | {"i": 0x10, "a": 0x20}[how]))
        except OSError as error:
            pytest.skip(f"needs root and a file system that knows attributes: {error.strerror}")
        try:
            yield
        finally:
            fcntl.ioctl(descriptor, _SET_FLAGS, struct.pack("l", flags))
    finally:
        os.close(descriptor)


def test_what_nothing_hinders(payload: Path) -> None:
    before = picture(payload)
    look_at(payload)
    look_at(payload.parent / "8")
    (payload.parent / "link").symlink_to(payload)
    look_at(payload.parent / "link")
    (payload.parent / "link").unlink()
    assert picture(payload) == before


@pytest.mark.parametrize("name", ["graph", "variables", "payload"])
def test_a_mount_point(name: str, payload: Path, tmp_path: Path) -> None:
    """A file that something is mounted upon, a directory in the payload, and the payload itself."""
    point = {"graph": payload / GRAPH, "variables": payload / "variables", "payload": payload}[name]
    other = tmp_path / "other"
    other.touch() if name == "graph" else other.mkdir()
    with (
        mounted("--bind", str(other), target=point, below=tmp_path.resolve()),
        pytest.raises(RemovalError, match=f"{point.name} is a mount point; unmount it first"),
    ):
        look_at(payload)


def test_a_payload_that_is_a_file_that_something_is_mounted_upon(payload: Path, tmp_path: Path) -> None:
    with (
        mounted("--bind", "/dev/null", target=payload / GRAPH, below=tmp_path.resolve()),
        pytest.raises(RemovalError, match="is a mount point"),
    ):
        look_at(payload / GRAPH)


def test_a_payload_right_below_a_mount_point_is_none_itself(tmp_path: Path, payload: Path) -> None:
    disk = tmp_path.resolve() / "disk"
    disk.mkdir()
    with mounted("-t", "tmpfs", "tmpfs", target=disk, below=tmp_path.resolve()):
        look_at(precious(disk / "7"))


@pytest.mark.parametrize("kind", ["bind", "tmpfs"])
def test_a_trash_that_is_a_mount_point(kind: str, payload: Path, tmp_path: Path) -> None:
    """Into another mount nothing can be renamed, though it be of the same disk."""
    trash, other = payload.parent / TRASH, tmp_path / "other"
    trash.mkdir()
    other.mkdir()
    how = ("--bind", str(other)) if kind == "bind" else ("-t", "tmpfs", "tmpfs")
    with (
        mounted(*how, target=trash, below=tmp_path.resolve()),
        pytest.raises(RemovalError, match="is a mount point"),
    ):
        look_at(payload)


def test_a_trash_that_is_a_link(payload: Path, tmp_path: Path) -> None:
    (payload.parent / TRASH).symlink_to(tmp_path)
    with pytest.raises(OSError, match="Not a directory"):
        look_at(payload)


@pytest.mark.parametrize("how", ["i", "a"])
@pytest.mark.parametrize("name", [".", "saved_model.pb", "variables", "variables/variables.index"])
def test_what_somebody_has_protected(how: str, name: str, payload: Path) -> None:
    with protected(payload / name, how), pytest.raises(RemovalError, match="is protected by its attributes"):
        look_at(payload)


@pytest.mark.parametrize("name", ["..", f"../{TRASH}"])
def test_a_protected_directory_that_the_payload_leaves_or_comes_to(name: str, payload: Path) -> None:
    (payload.parent / TRASH).mkdir()
    with protected(payload / name, "a"), pytest.raises(RemovalError, match="is protected"):
        look_at(payload)


def test_where_the_system_does_not_tell_attributes_it_is_not_asked(payload: Path, monkeypatch) -> None:
    monkeypatch.setattr(attributes, "_statx", lambda: None)
    look_at(payload)


def test_a_disk_that_one_may_only_read(tmp_path: Path, payload: Path) -> None:
    disk = tmp_path.resolve() / "disk"
    disk.mkdir()
    with mounted("-t", "tmpfs", "tmpfs", target=disk, below=tmp_path.resolve()):
        model = precious(disk / "7")
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        with pytest.raises(OSError, match="Read-only file system: 'the directory around it'"):
            look_at(model)


_UNPRIVILEGED = """
import sys
from tfx_janitor.deletion.claim import RemovalOrder, check_removable
from tfx_janitor.payload.places import Place
try:
    check_removable(RemovalOrder(sys.argv[1], "artifact-7", (Place("file", sys.argv[2]),)))
except OSError as error:
    print(error.strerror, error.filename)
"""


@pytest.mark.parametrize("mode", [0o555, 0o666])
@pytest.mark.parametrize("name", ["..", f"../{TRASH}", ".", "variables"])
def test_a_directory_that_may_not_be_written_to(name: str, mode: int, payload: Path) -> None:
    """Root is asked by no mode, so this runs without the capabilities that make it so."""
    (payload.parent / TRASH).mkdir()
    (payload / name).chmod(mode)
    drop = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    command = [*drop, sys.executable, "-c", _UNPRIVILEGED, str(payload), str(payload.parent)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except FileNotFoundError:
        pytest.skip("root needs setpriv to give up its privileges")
    finally:
        (payload / name).chmod(0o755)
    assert done.stdout.startswith("Permission denied")


# Checkpoints go file by file from a directory that stays: once the index has gone, it is too late.


@pytest.fixture
def checkpoints(tmp_path: Path) -> Path:
    directory = tmp_path.resolve() / "model_run"
    directory.mkdir()
    for step in (1, 2):
        (directory / f"ckpt-{step}.index").write_bytes(b"index")
        (directory / f"ckpt-{step}.data-00000-of-00001").write_bytes(b"shard")
    (directory / "checkpoint").write_text(
        'model_checkpoint_path: "ckpt-2"\nall_model_checkpoint_paths: "ckpt-1"\n'
        'all_model_checkpoint_paths: "ckpt-2"\n'
    )
    return directory


def order(directory: Path, name: str = "ckpt-1") -> PruneOrder:
    return PruneOrder(str(directory), (name,), (), (Place("file", str(directory)),))


def test_a_protected_shard_keeps_its_checkpoint_whole(checkpoints: Path) -> None:
    before = picture(checkpoints)
    shard = checkpoints / "ckpt-1.data-00000-of-00001"
    with protected(shard, "i"), pytest.raises(RemovalError, match="is protected"):
        prune(order(checkpoints))
    assert picture(checkpoints) == before
    assert prune(order(checkpoints)).files == 2


def test_in_a_protected_directory_not_even_a_temporary_file_comes_to_lie(checkpoints: Path) -> None:
    before = picture(checkpoints)
    with protected(checkpoints, "a"), pytest.raises(RemovalError, match="is protected"):
        prune(order(checkpoints))
    assert picture(checkpoints) == before


def test_a_shard_that_something_is_mounted_upon_keeps_its_checkpoint_whole(
    checkpoints: Path, tmp_path: Path
) -> None:
    shard = checkpoints / "ckpt-1.data-00000-of-00001"
    with mounted("--bind", "/dev/null", target=shard, below=tmp_path.resolve()):
        with pytest.raises(RemovalError, match="is a mount point"):
            prune(order(checkpoints))
        assert (checkpoints / "ckpt-1.index").exists()
        assert '"ckpt-1"' in (checkpoints / "checkpoint").read_text()


def test_an_orbax_step_with_something_protected_in_it_stays_whole(tmp_path: Path) -> None:
    directory = tmp_path.resolve() / "orbax"
    for step in ("1", "2"):
        (directory / step / "default").mkdir(parents=True)
        (directory / step / "_CHECKPOINT_METADATA").write_text("{}")
        (directory / step / "default" / "manifest.ocdbt").write_bytes(b"manifest")
    before = picture(directory)
    manifest = directory / "1" / "default" / "manifest.ocdbt"
    with protected(manifest, "i"), pytest.raises(RemovalError, match="is protected"):
        prune(order(directory, "1"))
    assert picture(directory) == before
