from __future__ import annotations

import contextlib
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from crc32c import crc32c
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tfx_janitor.payload import protos, tensor_bundle
from tfx_janitor.payload.filesystem import ReadError
from tfx_janitor.payload.sstable import TableError, masked, read_table
from tfx_janitor.payload.verification import Damage, Level

from .damaging import append, cut, flip, flipped
from .tables import table, varint

Copy = Callable[[str], Path]

pytestmark = pytest.mark.tfx


def header(**fields: Any) -> tuple[bytes, bytes]:
    return b"", protos.BundleHeader(**fields).SerializeToString()


def entry(key: bytes, data: bytes, **fields: Any) -> tuple[bytes, bytes]:
    shape = protos.Shape(dim=[{"size": len(data)}]).SerializeToString()
    values = {"dtype": 4, "shape": shape, "size": len(data), "crc32c": masked(crc32c(data))} | fields
    return key, protos.BundleEntry(**values).SerializeToString()


def write(directory: Path, index: bytes, *shards: bytes) -> Path:
    (directory / "x.index").write_bytes(index)
    for number, data in enumerate(shards):
        (directory / tensor_bundle.shard_name("x", number, len(shards))).write_bytes(data)
    return directory


def damages(directory: Path, name: str, level: Level = Level.CHECKSUMS) -> tuple[Damage, ...]:
    return tensor_bundle.verify(str(directory), name, level)[0]


@pytest.mark.parametrize(
    ("directory", "name"),
    [("kinds", "all"), ("sliced", "model-7"), ("sharded", "model-5"), ("managed", "ckpt-10")],
)
def test_what_tensorflow_wrote_is_whole(written: Path, tf: Any, directory: str, name: str) -> None:
    found, tensors = tensor_bundle.verify(str(written / directory), name, Level.CHECKSUMS)
    assert found == ()
    index = tensor_bundle.read_index(str(written / directory / f"{name}.index"))
    assert len(index.tensors) == tensors
    names = {tensor.key.split(" ")[0] if directory == "sliced" else tensor.key for tensor in index.tensors}
    assert names == {name for name, _ in tf.train.list_variables(str(written / directory / name))}


def test_every_tensor_type_is_checked_from_its_first_byte_to_its_last(copy: Copy) -> None:
    directory = copy("kinds")
    data = directory / "all.data-00000-of-00001"
    for tensor in tensor_bundle.read_index(str(directory / "all.index")).tensors:
        if not tensor.size or (tensor.key.startswith("layer/") and not tensor.key.startswith("layer/000")):
            continue
        for at in {tensor.offset, tensor.offset + tensor.size // 2, tensor.offset + tensor.size - 1}:
            with flipped(data, at, bit=at % 8):
                (damage,) = damages(directory, "all")
                assert (damage.file, damage.tensor) == (data.name, tensor.key)


def test_every_byte_of_string_and_variant_tensors_counts(copy: Copy) -> None:
    directory = copy("managed")
    data = directory / "ckpt-1.data-00000-of-00001"
    for at in range(data.stat().st_size):
        with flipped(data, at, bit=at % 8):
            assert len(damages(directory, "ckpt-1")) == 1, at


def test_every_byte_of_an_index_counts(copy: Copy) -> None:
    directory = copy("sliced")
    index = directory / "model-7.index"
    for at in range(index.stat().st_size):
        with flipped(index, at, bit=at % 8):
            found = damages(directory, "model-7", Level.STRUCTURE)
            assert [damage.file for damage in found] == ["model-7.index"], at


def test_a_damaged_slice_is_named_with_its_ranges(copy: Copy) -> None:
    directory = copy("sliced")
    flip(directory / "model-7.data-00000-of-00001", 1000)
    (damage,) = damages(directory, "model-7")
    assert damage.tensor == "columns 0,2:100,100"


def test_shards_that_are_missing_cut_or_longer_are_found_without_reading_tensors(copy: Copy) -> None:
    directory = copy("sharded")
    (directory / "model-5.data-00000-of-00003").unlink()
    cut(directory / "model-5.data-00001-of-00003", 3)
    append(directory / "model-5.data-00002-of-00003")
    assert damages(directory, "model-5", Level.STRUCTURE) == (
        Damage("model-5.data-00000-of-00003", "is missing"),
        Damage("model-5.data-00001-of-00003", "is 3 bytes too short: a tensor is cut off", "weights_1"),
        Damage("model-5.data-00002-of-00003", "is 1 byte too long: the index accounts for 208"),
    )


def test_shards_of_another_number_are_named(copy: Copy) -> None:
    directory = copy("sharded")
    for shard in range(3):
        file = directory / f"model-5.data-0000{shard}-of-00003"
        file.rename(directory / f"model-5.data-0000{shard}-of-00004")
    first = damages(directory, "model-5")[0]
    assert str(first) == (
        "model-5.data-00000-of-00003 is missing; there are files of 4 shards, the index says 3"
    )


def test_compressed_blocks_are_read_as_tensorflow_reads_them(copy: Copy, tf: Any) -> None:
    directory = copy("kinds")
    index = directory / "all.index"
    entries = list(read_table(index.read_bytes()))
    index.write_bytes(table(entries[:50], entries[50:], compress=True))
    assert len(tf.train.list_variables(str(directory / "all"))) == len(entries) - 1
    assert damages(directory, "all") == ()


def test_a_shard_without_tensors_must_be_empty(tmp_path: Path) -> None:
    index = table([header(num_shards=2), entry(b"a", b"abc", shard_id=1)])
    assert damages(write(tmp_path, index, b"", b"abc"), "x") == ()
    assert len(damages(write(tmp_path, index, b"?", b"abc"), "x")) == 1


def test_a_bundle_of_no_tensors_and_no_shards_is_whole(tmp_path: Path) -> None:
    assert damages(write(tmp_path, table([header(num_shards=0)])), "x") == ()


def test_unknown_types_are_still_checked(tmp_path: Path) -> None:
    index = table([header(num_shards=1), entry(b"a", b"abc", dtype=99)])
    assert damages(write(tmp_path, index, b"abc"), "x") == ()
    assert len(damages(write(tmp_path, index, b"abd"), "x")) == 1


@pytest.mark.parametrize(
    ("index", "problem"),
    [
        (table([header(num_shards=1, endianness=1)]), "big-endian byte order, which is not understood"),
        (table([header(num_shards=1, version={"min_consumer": 2})]), "needs a reader of version 2"),
        (table([header(num_shards=-1)]), "-1 shards"),
        (table([entry(b"a", b"")]), "has no header"),
        (table([(b"", b"\xff")]), "header that cannot be parsed"),
        (table([header(num_shards=1), (b"a", b"\xff")]), "entry that cannot be parsed"),
        (table([header(num_shards=1), entry(b"a", b"x", shape=b"\xff")]), "shape that cannot be parsed"),
        (table([header(num_shards=1), entry(b"a", b"x", shard_id=1)]), "in shard 1 of 1"),
        (table([header(num_shards=1), entry(b"a", b"x", offset=-1)]), "negative number"),
        (table([header(num_shards=1), entry(b"a", b"x", dtype=1)]), "1 byte for 1 elements of 4"),
        (table([header(num_shards=1), entry(b"b", b""), entry(b"a", b"")]), "out of order"),
        (table([header(num_shards=1), entry(b"a", b"", slices=[{"extent": [{}]}])]), "lacks the slice -"),
    ],
)
def test_an_index_that_contradicts_itself_is_one_damage(tmp_path: Path, index: bytes, problem: str) -> None:
    (damage,) = damages(write(tmp_path, index, b"x"), "x")
    assert damage.file == "x.index"
    assert problem in damage.problem


def test_bytes_between_the_parts_of_an_index_are_found() -> None:
    whole = table([header(num_shards=1)], [entry(b"a", b"x")])
    assert len(list(read_table(whole))) == 2
    second = whole.index(b"\0\1")
    for at in (0, second, len(whole) - 48):
        with pytest.raises(TableError):
            list(read_table(whole[:at] + b"junk" + whole[at:]))


def test_bytes_behind_the_last_string_are_found(tmp_path: Path) -> None:
    def strings(rest: bytes) -> bytes:
        lengths = masked(crc32c(struct.pack("<I", 2)))
        return b"\2" + struct.pack("<I", lengths) + b"ab" + rest

    def summed(rest: bytes) -> int:
        lengths = struct.pack("<I", 2)
        return masked(crc32c(lengths + struct.pack("<I", masked(crc32c(lengths))) + b"ab" + rest))

    shape = protos.Shape(dim=[{"size": 1}]).SerializeToString()
    for rest, count in ((b"", 0), (b"?", 1)):
        fields = {"dtype": 7, "shape": shape, "crc32c": summed(rest)}
        index = table([header(num_shards=1), entry(b"a", strings(rest), **fields)])
        assert len(damages(write(tmp_path, index, strings(rest)), "x")) == count


def test_hostile_numbers_cost_nothing(tmp_path: Path) -> None:
    endless = table([header(num_shards=2**31 - 1), entry(b"a", b"x")])
    found = damages(write(tmp_path, endless, b"x"), "x")
    assert len(found) == 6
    assert "2,147,483,642 more of its 2,147,483,647 shards" in str(found[-1])
    far = table([header(num_shards=1), entry(b"a", b"x", offset=2**62)])
    (damage,) = damages(write(tmp_path, far, b"x"), "x")
    assert "too short" in damage.problem
    strings = protos.Shape(dim=[{"size": 2**62}] * 3).SerializeToString()
    for dtype in (7, 21):
        index = table([header(num_shards=1), entry(b"a", b"\0" * 64, dtype=dtype, shape=strings)])
        (damage,) = damages(write(tmp_path, index, b"\0" * 64), "x")
        assert damage == Damage(
            "x.data-00000-of-00001", "has bytes that are not laid out as their type is", "a"
        )


def test_tensors_that_share_bytes_are_not_read_over_and_over(tmp_path: Path) -> None:
    data = b"x" * 1000
    entries = [entry(b"%03d" % number, data) for number in range(200)]
    found = damages(write(tmp_path, table([header(num_shards=1), *entries]), data), "x")
    assert len(found) == 199
    assert {damage.problem for damage in found} == {"holds a tensor that overlaps the one before it"}


def test_a_shard_that_is_no_file_is_one_damage(tmp_path: Path) -> None:
    directory = write(tmp_path, table([header(num_shards=1), entry(b"a", b"123")]), b"123")
    (directory / "x.data-00000-of-00001").rename(directory / "elsewhere")
    (directory / "x.data-00000-of-00001").symlink_to("elsewhere")
    damage = Damage("x.data-00000-of-00001", "is a link, not a file")
    assert damages(directory, "x", Level.STRUCTURE) == damages(directory, "x") == (damage,)


def test_a_shard_has_checksums_of_all_its_bytes_unless_there_are_gaps(tmp_path: Path) -> None:
    tensors = [entry(b"a", b"12", shard_id=0), entry(b"b", b"3", shard_id=0, offset=2), entry(b"c", b"")]
    gap = [entry(b"d", b"1", shard_id=1), entry(b"e", b"2", shard_id=1, offset=2)]
    cut = [entry(b"f", b"12", shard_id=2)]
    index = table([header(num_shards=4), *tensors, *gap, *cut])
    directory = str(write(tmp_path, index, b"123", b"1?2", b"1", b"?"))
    assert tensor_bundle.look(directory, "x").checksummed == {"x.data-00000-of-00004"}


def test_what_tensorflow_wrote_has_checksums_of_all_bytes(written: Path) -> None:
    shards = tensor_bundle.look(str(written / "sharded"), "model-5").checksummed
    assert shards == {path.name for path in (written / "sharded").glob("model-5.data-*")}


def test_keys_that_expand_beyond_reason_are_refused() -> None:
    content = varint(0) + varint(60_000) + varint(0) + b"k" * 60_000
    content += b"".join(varint(60_000 + n) + varint(1) + varint(0) + b"k" for n in range(20_000))
    content += struct.pack("<II", 0, 1)
    stored = content + b"\0"
    block = stored + struct.pack("<I", masked(crc32c(stored)))
    index_content = varint(0) + varint(1) + varint(4) + b"z" + varint(0) + varint(len(content))
    index_content += struct.pack("<II", 0, 1)
    empty = struct.pack("<II", 0, 1) + b"\0"
    data = block + empty + struct.pack("<I", masked(crc32c(empty)))
    index_at = len(data)
    data += index_content + b"\0" + struct.pack("<I", masked(crc32c(index_content + b"\0")))
    footer = varint(len(block)) + varint(8) + varint(index_at) + varint(len(index_content))
    data += footer.ljust(40, b"\0") + struct.pack("<Q", 0xDB4775248B80FB57)
    with pytest.raises(TableError, match="more bytes of keys"):
        for _ in read_table(data):
            pass


def test_snappy_that_claims_gigabytes_is_refused() -> None:
    bomb = varint(1 << 31) + b"\0\0"
    stored = bomb + b"\1"
    block = stored + struct.pack("<I", masked(crc32c(stored)))
    footer = (varint(0) + varint(len(bomb))) * 2
    with pytest.raises(TableError, match="claims to expand"):
        list(read_table(block + footer.ljust(40, b"\0") + struct.pack("<Q", 0xDB4775248B80FB57)))


@given(st.binary(max_size=300))
@example(b"\0" * 48)
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_an_index_or_a_table_error(data: bytes) -> None:
    for content in (data, data + struct.pack("<Q", 0xDB4775248B80FB57)):
        with contextlib.suppress(TableError):
            assert len(list(read_table(content))) <= len(content)


@given(data=st.binary(max_size=200))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_entry_is_a_tensor_or_a_read_error(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.index"
    path.write_bytes(table([header(num_shards=1), (b"a", data)]))
    with contextlib.suppress(ReadError):
        tensor_bundle.read_index(str(path))
    damages(tmp_path, "x")


def test_file_names_are_taken_apart_literally() -> None:
    assert tensor_bundle.split_shard_name("run-2-100.data-00001-of-00003") == ("run-2-100", 1, 3)
    assert tensor_bundle.split_shard_name("a.data-b.data-00000-of-00001") == ("a.data-b", 0, 1)
    for name in (
        "x.data-0-of-1",
        ".data-00000-of-00001",
        "x.data-000000-of-000001",
        "x.data-00000-of-00001~",
    ):
        assert tensor_bundle.split_shard_name(name) is None
