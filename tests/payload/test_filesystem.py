from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from tfx_janitor.payload import filesystem
from tfx_janitor.payload.filesystem import ReadError, Size, measure


def test_measures_files_and_counts_links_as_themselves(tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "a").write_bytes(b"x" * 10)
    (tmp_path / "deep" / "er" / "b").write_bytes(b"x" * 5)
    outside = tmp_path.parent / f"{tmp_path.name}-outside"
    outside.write_bytes(b"x" * 1000)
    (tmp_path / "link").symlink_to(outside)
    (tmp_path / "loop").symlink_to(tmp_path)
    links = len(str(outside)) + len(str(tmp_path))
    assert measure(str(tmp_path)) == Size(15 + links, 4)


def test_measures_one_file_and_one_link(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"xyz")
    (tmp_path / "link").symlink_to("a")
    assert measure(str(tmp_path / "a")) == Size(3, 1)
    assert measure(str(tmp_path / "link")) == Size(1, 1)


def test_measures_sparse_files_by_their_apparent_size(tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(1 << 30)
    assert measure(str(tmp_path)) == Size(1 << 30, 1)


def test_an_empty_directory_measures_nothing_and_a_missing_one_is_an_error(tmp_path: Path) -> None:
    assert measure(str(tmp_path)) == Size(0, 0)
    with pytest.raises(FileNotFoundError):
        measure(str(tmp_path / "missing"))


def test_reading_never_blocks_nor_follows(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "directory").mkdir()
    os.mkfifo(tmp_path / "fifo")
    with socket.socket(socket.AF_UNIX) as server:
        here = Path.cwd()
        os.chdir(tmp_path)  # socket paths are limited to some 100 bytes
        server.bind("socket")
        os.chdir(here)
        expected = {
            "link": "is a link, not a file",
            "directory": "is a directory, not a file",
            "fifo": "is a FIFO, not a file",
            "socket": "is a socket, not a file",
            "missing": "is missing",
            "file/below": "is not a directory",
        }
        for name, problem in expected.items():
            with pytest.raises(ReadError) as caught:
                filesystem.read(str(tmp_path / name), 100)
            assert str(caught.value) == problem
    assert filesystem.read(str(tmp_path / "file"), 7) == b"content"
    with pytest.raises(ReadError, match="7 bytes, more than"):
        filesystem.read(str(tmp_path / "file"), 6)


def test_a_failing_disk_is_a_read_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    with pytest.raises(ReadError, match="cannot be read: Input/output error"):  # noqa: SIM117
        with filesystem.opened(str(tmp_path / "file")):
            raise OSError(5, "Input/output error")
