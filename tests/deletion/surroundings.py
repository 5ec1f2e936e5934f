"""What surrounds a hostile payload: trees that must not change, mounts, and somebody who meddles."""

from __future__ import annotations

import contextlib
import ctypes
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.builders.mlmd_rows import await_next_millisecond
from tfx_janitor import effects
from tfx_janitor.deletion import remove

Picture = dict[str, tuple[object, ...]]


def picture(top: Path) -> Picture:
    """Everything at or below a path, byte for byte: kind, mode, when it was written, and its content.

    The time of a directory is that of the last name that came or went in it. Link counts are left out: a hard
    link elsewhere may go.
    """
    seen: Picture = {}
    for directory, names, files in os.walk(top):
        for path in (directory, *(os.path.join(directory, name) for name in (*names, *files))):
            status = os.lstat(path)
            content: object = None
            if stat.S_ISLNK(status.st_mode):
                content = os.readlink(path)
            elif stat.S_ISREG(status.st_mode):
                content = Path(path).read_bytes()
            seen[path] = (status.st_ino, status.st_mode, status.st_mtime_ns, content)
    return seen


def precious(top: Path) -> Path:
    """A tree that looks like a payload and is none of the janitor's business."""
    (top / "variables").mkdir(parents=True)
    (top / "saved_model.pb").write_bytes(b"precious graph")
    (top / "variables" / "variables.index").write_bytes(b"precious index")
    (top / "variables" / "variables.data-00000-of-00001").write_bytes(b"precious tensors")
    return top


@contextlib.contextmanager
def mounted(*arguments: str, target: Path, below: Path) -> Iterator[None]:
    """Mounts something, and at the end unmounts everything below a path, wherever it has been moved by then.

    Skips the test where one may not mount.
    """
    done = subprocess.run(["mount", *arguments, str(target)], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"needs root and a kernel that mounts: {done.stderr.strip()}")
    try:
        yield
    finally:
        unmount_all(below)


def unmount_all(below: Path) -> None:
    """Unmounts everything below a path."""
    for line in reversed(Path("/proc/self/mountinfo").read_text().splitlines()):
        point = line.split()[4].encode().decode("unicode_escape")
        if point.startswith(f"{below}/"):
            subprocess.run(["umount", "--lazy", point], check=True)


def just_before(
    patch: pytest.MonkeyPatch, call: str, name: str, act: Callable[[], object], *, time: int = 1
) -> None:
    """Lets somebody act right before `remove` makes a call of `os` on a name the first time, or the nth."""
    known: Any = remove.os
    made = getattr(known, call)
    times = iter(range(1, sys.maxsize))

    def interposed(target: object, *arguments: object, **options: object) -> object:
        if target == name and next(times) == time:
            act()
        return made(target, *arguments, **options)

    meddling = SimpleNamespace(**{**vars(known), call: interposed})
    for module in (remove, effects):
        patch.setattr(module, "os", meddling)


def before(patch: pytest.MonkeyPatch, owner: Any, name: str, meanwhile: Callable[[], object]) -> None:
    """Lets something happen just before a function is called for the first time."""
    real, pending = getattr(owner, name), [meanwhile]

    def call(*args: Any, **kwargs: Any) -> Any:
        while pending:
            await_next_millisecond()
            pending.pop()()
        return real(*args, **kwargs)

    patch.setattr(owner, name, call)


def unreadable(patch: pytest.MonkeyPatch, path: Path, code: int) -> None:
    """Lets every look at a path fail, as on a broken disk, or in a directory that one may not search."""
    real = os.lstat

    def lstat(target: Any, **options: Any) -> os.stat_result:
        if isinstance(target, str | os.PathLike) and os.fspath(target) == str(path):
            raise OSError(code, os.strerror(code), str(path))
        return real(target, **options)

    patch.setattr(os, "lstat", lstat)


_CAPABILITIES_V3 = 0x20080522  # linux/capability.h
_DAC_OVERRIDE, _DAC_READ_SEARCH = 1, 2


@contextlib.contextmanager
def as_modes_say() -> Iterator[None]:
    """Root is asked by no mode: while this lasts, this thread, and those that it starts, are."""
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(_CAPABILITIES_V3, 0)
    # Effective, permitted and inheritable, twice: the first of each is of the capabilities up to 31.
    before, without = (ctypes.c_uint32 * 6)(), (ctypes.c_uint32 * 6)()
    assert libc.capget(header, before) == 0
    without[:] = before[:]
    without[0] &= ~(1 << _DAC_OVERRIDE | 1 << _DAC_READ_SEARCH)
    assert libc.capset(header, without) == 0
    try:
        yield
    finally:
        assert libc.capset(header, before) == 0


@contextlib.contextmanager
def closed(*paths: Path, mode: int = 0) -> Iterator[None]:
    """While this lasts, paths have a mode that does not let this process read them; then the old one."""
    modes = [stat.S_IMODE(path.stat().st_mode) for path in paths]
    for path in reversed(paths):
        path.chmod(mode)
    try:
        with as_modes_say():
            yield
    finally:
        for path, old in zip(paths, modes, strict=True):
            path.chmod(old)


def swap_for_a_link(path: Path, target: Path, *, aside: Path) -> Callable[[], None]:
    """Somebody who moves a directory aside and puts a link to another one in its place."""

    def swap() -> None:
        path.rename(aside)
        path.symlink_to(target)

    return swap
