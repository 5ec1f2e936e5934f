"""Tensors are verified by a reader right behind the copy, and no byte is read twice without need."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.builders import flip_bit
from tests.payload.tables import table
from tfx_janitor import effects
from tfx_janitor.payload import protos, saved_model
from tfx_janitor.payload.sstable import read_table
from tfx_janitor.payload.tensor_bundle import Structure
from tfx_janitor.verified_pusher import content, copying, manifest
from tfx_janitor.verified_pusher.content import FoundFile
from tfx_janitor.verified_pusher.durability import Unsynced
from tfx_janitor.verified_pusher.errors import ModelRefused, PushError
from tfx_janitor.verified_pusher.growing import GrowingFiles

from .conftest import Models, Pushes, everything, files_of, only_the_corner
from .small_models import content_of

pytestmark = pytest.mark.tfx


def _no_clone(*_: object) -> None:
    raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))


class TestAModelThatIsVerifiedWhileItIsCopied:
    @pytest.fixture(autouse=True)
    def in_small_steps(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(copying, "_STEP", 100_000)
        monkeypatch.setattr(copying, "_PIECE", 100_000)

    def test_is_what_its_manifest_says(self, model: Models, push_to: Pushes) -> None:
        source = model("large")
        done = push_to(source)
        assert done.content_digest == manifest.read(done.destination).content_digest == content_of(source)
        assert files_of(done.destination) == everything(source)

    def test_needs_no_second_look_at_what_its_checksums_prove(
        self, model: Models, push_to: Pushes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        read: list[str] = []
        digest_file = content.digest_file
        monkeypatch.setattr(content, "digest_file", lambda file: read.append(file.path) or digest_file(file))
        push_to(model("sharded"))
        assert sum(path == "variables/variables.index" for path in read) == 2
        assert not any(".data-" in path for path in read)

    @pytest.mark.parametrize("name", ["large", "sharded"])
    def test_is_refused_if_it_is_cut_short_meanwhile(
        self, model: Models, push_to: Pushes, base: Path, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        source = model(name)
        shard = max(source.glob("variables/*.data-*"))
        size = shard.stat().st_size
        lay_out = copying.lay_out

        def lay_out_and_be_overtaken(*arguments: Any) -> None:
            lay_out(*arguments)
            os.truncate(shard, size // 2)

        monkeypatch.setattr(copying, "lay_out", lay_out_and_be_overtaken)
        with pytest.raises(ModelRefused, match=f"{shard.name} changed while it was copied"):
            push_to(source)
        assert only_the_corner(base)

    def test_is_not_blamed_for_a_disk_that_fails_once(
        self, model: Models, push_to: Pushes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        source, read, calls = model("large"), GrowingFiles.read, []

        def fail_once(growing: GrowingFiles, *arguments: Any) -> int:
            calls.append(arguments)
            if len(calls) == 2:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return read(growing, *arguments)

        monkeypatch.setattr(GrowingFiles, "read", fail_once)
        assert push_to(source).content_digest == content_of(source)
        assert len(calls) >= 2

    def test_is_no_more_waited_for_when_the_disk_is_full(
        self, model: Models, push_to: Pushes, base: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        by_hand = copying._step_by_hand

        def until_full(source: int, target: int, position: int, path: str, buffer: memoryview) -> int:
            if ".data-" in path and position >= 300_000:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return by_hand(source, target, position, path, buffer)

        monkeypatch.setattr(copying, "_file_system", lambda device: "ext4")
        monkeypatch.setattr(copying, "_step_by_hand", until_full)
        monkeypatch.setattr(effects, "clone", _no_clone)
        with pytest.raises(PushError, match=r"No space left on device: .*; nothing became visible"):
            push_to(model("large"))
        assert only_the_corner(base)

    def test_may_have_a_shard_with_a_gap(self, model: Models, push_to: Pushes) -> None:
        source = model("sharded")
        shifted = max(source.glob("variables/*.data-*"))
        number = int(shifted.name[-14:-9])
        shifted.write_bytes(bytes(8) + shifted.read_bytes())
        index = source / "variables" / "variables.index"
        head, *rows = read_table(index.read_bytes())
        entries = [(key, protos.BundleEntry.FromString(row)) for key, row in rows]
        for _, entry in entries:
            if entry.shard_id == number:
                entry.offset += 8
        index.write_bytes(table([head, *((key, entry.SerializeToString()) for key, entry in entries)]))
        (source / "fingerprint.pb").unlink()
        done = push_to(source)
        assert done.content_digest == content_of(source)
        flip_bit(shifted)
        with pytest.raises(ModelRefused, match=f"{shifted.name}.*do not match their checksum"):
            push_to(source)

    def test_is_compared_with_the_original_if_not_all_of_it_was_read(
        self, model: Models, push_to: Pushes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        source = model("cats")
        monkeypatch.setattr(GrowingFiles, "digest", lambda *_: None)
        assert push_to(source).content_digest == content_of(source)

    def test_with_bytes_that_no_checksum_covers_is_compared(
        self, model: Models, push_to: Pushes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        source = model("cats")
        structure = replace(saved_model.look(str(source)), variables=Structure())
        monkeypatch.setattr(saved_model, "look", lambda path: structure)
        copy = copying.copy

        def copy_badly(files: Iterable[FoundFile], target: str, unsynced: Unsynced) -> None:
            copy(files, target, unsynced)
            flip_bit(Path(target) / "variables" / "variables.data-00000-of-00001")

        monkeypatch.setattr(copying, "copy", copy_badly)
        with pytest.raises(PushError, match=r"reads back differently: variables/variables\.data-"):
            push_to(source)
