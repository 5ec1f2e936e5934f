from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tfx_janitor.errors import JanitorError
from tfx_janitor.payload import checkpoints
from tfx_janitor.payload.checkpoints import Checkpoint, read_directory, verify
from tfx_janitor.payload.verification import Damage, Level

from .checkpoint_files import damages, named, tensorflow, touch
from .conftest import STEPS
from .damaging import append, cut, flip

Copy = Callable[[str], Path]


class TestGrouping:
    def test_steps_are_numbers_not_letters(self, tmp_path: Path) -> None:
        for step in STEPS:
            touch(tmp_path, *tensorflow(f"ckpt-{step}"))
        found = read_directory(str(tmp_path)).checkpoints
        assert [checkpoint.step for checkpoint in found] == list(STEPS)
        assert {checkpoint.prefix for checkpoint in found} == {"ckpt"}
        assert found[0].files == ("ckpt-1.index", "ckpt-1.data-00000-of-00001")
        assert all(checkpoint.complete and checkpoint.bytes == 2 for checkpoint in found)

    @pytest.mark.parametrize(
        ("name", "prefix", "step"),
        [
            ("run-2-100", "run-2", 100),
            ("run[1]-5", "run[1]", 5),
            ("a*?-007", "a*?", 7),
            ("with space.x-1", "with space.x", 1),
            ("-3", "", 3),
            ("model", "model", None),
            ("model5", "model5", None),
            ("ключ-4", "ключ", 4),
            ("x.index-6", "x.index", 6),
        ],
    )
    def test_prefixes_are_literal(self, tmp_path: Path, name: str, prefix: str, step: int | None) -> None:
        touch(tmp_path, *tensorflow(name))
        (found,) = read_directory(str(tmp_path)).checkpoints
        assert (found.name, found.prefix, found.step, found.complete) == (name, prefix, step, True)

    def test_only_the_named_directory_is_read(self, tmp_path: Path) -> None:
        touch(tmp_path / "run1", *tensorflow("ckpt-1"))
        touch(tmp_path / "run[1]", *tensorflow("ckpt-2"))
        assert list(named(tmp_path / "run[1]")) == ["ckpt-2"]

    def test_shards_and_graph_belong_to_their_checkpoint(self, tmp_path: Path) -> None:
        touch(tmp_path, *tensorflow("m-5", 3), "m-5.meta", *tensorflow("m-50"), "m-50.meta", "graph.pbtxt")
        found = named(tmp_path)
        assert found["m-5"].files == (
            "m-5.index",
            "m-5.data-00000-of-00003",
            "m-5.data-00001-of-00003",
            "m-5.data-00002-of-00003",
            "m-5.meta",
        )
        assert len(found["m-50"].files) == 3

    def test_those_without_a_step_come_first(self, tmp_path: Path) -> None:
        touch(tmp_path, *tensorflow("ckpt-0"), *tensorflow("best"), "z.keras")
        assert list(named(tmp_path)) == ["best", "z.keras", "ckpt-0"]

    def test_time_is_of_the_newest_file(self, tmp_path: Path) -> None:
        touch(tmp_path, *tensorflow("ckpt-1"))
        os.utime(tmp_path / "ckpt-1.index", ns=(0, 1_700_000_000_123_456_789))
        os.utime(tmp_path / "ckpt-1.data-00000-of-00001", ns=(0, 1_600_000_000_000_000_000))
        assert named(tmp_path)["ckpt-1"].modified_ms == 1_700_000_000_123

    def test_files_of_others_are_left_alone(self, tmp_path: Path) -> None:
        touch(
            tmp_path, "notes.index", "app.meta", "events.out.tfevents.1", "checkpoint.txt", ".index", ".meta"
        )
        (tmp_path / "ckpt-9.index").mkdir()
        assert named(tmp_path) == {}

    @pytest.mark.parametrize(
        ("files", "problem"),
        [
            (["c-1.data-00000-of-00001"], "c-1 has no index file c-1.index"),
            (
                ["c-1.index", "c-1.data-00000-of-00003", "c-1.data-00002-of-00003"],
                "c-1 lacks 1 of its 3 data files, first c-1.data-00001-of-00003",
            ),
            (
                [*tensorflow("c-1"), "c-1.data-00000-of-00002"],
                "c-1 has data files that are counted in different ways: of 1 and of 2",
            ),
            (
                [*tensorflow("c-1"), "c-1.index.tempstate123"],
                "c-1 was not finished: c-1.index.tempstate123 is left of its saving",
            ),
            (
                ["c-1.data-00000-of-00001.tempstate42"],
                "c-1 was not finished: c-1.data-00000-of-00001.tempstate42 is left of its saving",
            ),
            (
                [*tensorflow("c-1"), "c-1_temp/part-0"],
                "c-1 was not finished: c-1_temp/ is left of its saving",
            ),
            (
                [*tensorflow("c-1"), f"c-1_temp_{'0f' * 16}/part-0"],
                f"c-1 was not finished: c-1_temp_{'0f' * 16}/ is left of its saving",
            ),
        ],
    )
    def test_incomplete_ones_are_told_apart(self, tmp_path: Path, files: list[str], problem: str) -> None:
        touch(tmp_path, *files, *tensorflow("c-10"))
        found = named(tmp_path)
        assert (found["c-1"].complete, found["c-1"].problem) == (False, problem)
        assert set(found["c-1"].files) == {file for file in files if "/" not in file}
        assert found["c-10"].complete

    def test_the_emptied_directory_of_a_finished_save_does_no_harm(self, tmp_path: Path) -> None:
        touch(tmp_path, *tensorflow("c-1"))
        (tmp_path / "c-1_temp").mkdir()
        assert named(tmp_path)["c-1"].complete

    def test_empty_indexes_and_links_are_not_complete(self, tmp_path: Path) -> None:
        touch(tmp_path, *tensorflow("c-1"), *tensorflow("c-2"))
        (tmp_path / "c-1.index").write_bytes(b"")
        (tmp_path / "c-2.data-00000-of-00001").unlink()
        (tmp_path / "c-2.data-00000-of-00001").symlink_to("c-1.data-00000-of-00001")
        found = named(tmp_path)
        assert found["c-1"].problem == "c-1.index is empty"
        assert found["c-2"].problem == "c-2.data-00000-of-00001 is a link, not a file"

    def test_the_variables_of_a_saved_model_are_nobodys_checkpoint(self, tmp_path: Path) -> None:
        touch(tmp_path, "m/saved_model.pb", *(f"m/variables/{name}" for name in tensorflow("variables")))
        with pytest.raises(JanitorError, match="variables of a SavedModel"):
            read_directory(str(tmp_path / "m" / "variables"))

    def test_no_directory_is_a_clear_error(self, tmp_path: Path) -> None:
        with pytest.raises(JanitorError, match="missing is missing"):
            read_directory(str(tmp_path / "missing"))


class TestKerasNames:
    @pytest.mark.parametrize(
        ("name", "prefix", "step"),
        [
            ("weights.05.weights.h5", "weights", 5),
            ("model-12.keras", "model", 12),
            ("epoch_3.keras", "epoch", 3),
            ("cp7.keras", "cp", 7),
            ("0007.keras", "", 7),
            ("best.keras", "best", None),
            ("model.05-0.87.keras", "model", 5),
            ("model-0.87.keras", "model", None),
            ("loss0.87.keras", "loss0.87", None),
        ],
    )
    def test_step_is_the_number_at_the_end(
        self, tmp_path: Path, name: str, prefix: str, step: int | None
    ) -> None:
        (found,) = read_directory(str(touch(tmp_path, name))).checkpoints
        assert found == Checkpoint(
            name, prefix, step, "keras", (name,), 1, found.modified_ms, complete=True, problem=None
        )

    def test_other_files_are_not_keras(self, tmp_path: Path) -> None:
        touch(tmp_path, ".keras", ".weights.h5", "x.h5", "keras")
        (tmp_path / "d.keras").mkdir()
        assert named(tmp_path) == {}


class TestOrbax:
    def step(self, directory: Path, name: str) -> Path:
        touch(directory / name, "_CHECKPOINT_METADATA", "default/_METADATA", data=b"{}")
        return touch(directory / name, "default/manifest.ocdbt", "default/d/0a1b")

    def test_steps_are_directories(self, tmp_path: Path) -> None:
        for name in ("5", "50", "step_100", "best_model_7"):
            self.step(tmp_path, name)
        found = named(tmp_path)
        assert [(c.name, c.prefix, c.step) for c in found.values()] == [
            ("5", "", 5),
            ("best_model_7", "best_model", 7),
            ("50", "", 50),
            ("step_100", "step", 100),
        ]
        assert found["5"].files == ("5",)
        assert found["5"].bytes == 6
        assert found["5"].complete
        assert verify(str(tmp_path), found["5"], Level.CHECKSUMS).files == 4

    def test_unfinished_steps_are_incomplete(self, tmp_path: Path) -> None:
        self.step(tmp_path, "6.orbax-checkpoint-tmp-1700000000")
        (found,) = read_directory(str(tmp_path)).checkpoints
        assert (found.step, found.complete) == (6, False)
        assert damages(tmp_path, found.name) == (
            Damage(".", "was never finished: it still has its temporary name"),
        )

    def test_a_flax_file_is_a_step_and_a_tensorflow_state_is_not(self, tmp_path: Path) -> None:
        touch(tmp_path, "checkpoint_3/checkpoint", data=b"\x83\xa4")
        touch(tmp_path, "4/checkpoint", data=b'model_checkpoint_path: "ckpt-1"\n')
        touch(tmp_path, "5/checkpoint/ckpt-1.index")
        assert list(named(tmp_path)) == ["checkpoint_3"]

    def test_a_numbered_directory_of_steps_is_not_a_step(self, tmp_path: Path) -> None:
        self.step(tmp_path / "7", "100")
        touch(tmp_path / "8" / "100", "_METADATA", data=b"{}")
        assert named(tmp_path) == {}
        assert checkpoints.find_directories(str(tmp_path)) == (f"{tmp_path}/7", f"{tmp_path}/8")

    def test_numbered_saved_models_and_other_directories_are_not_steps(self, tmp_path: Path) -> None:
        touch(tmp_path, "1/saved_model.pb", "2/anything", "3.txt/_METADATA")
        assert named(tmp_path) == {}

    def test_damage(self, tmp_path: Path) -> None:
        step = self.step(tmp_path, "5")
        assert damages(tmp_path, "5") == ()
        (step / "default" / "d" / "0a1b").write_bytes(b"")
        (step / "default" / "_METADATA").write_bytes(b"{")
        (step / "default" / "link").symlink_to("d")
        assert set(map(str, damages(tmp_path, "5"))) == {
            "default/d/0a1b is empty",
            "default/_METADATA is not valid JSON",
            "default/link is a link, not a file",
        }


def test_directories_are_found_without_entering_models_steps_and_trash(tmp_path: Path) -> None:
    touch(tmp_path, "a/b/x-1.keras", "a/c.keras", "m/saved_model.pb", "m/variables/variables.index")
    touch(tmp_path, "orbax/5/_CHECKPOINT_METADATA", "orbax/5/inner/y-1.keras", ".trash/z-1.keras")
    touch(tmp_path, "a/ckpt-1_temp/part-1.keras")
    (tmp_path / "loop").symlink_to(tmp_path)
    assert checkpoints.find_directories(str(tmp_path)) == tuple(
        f"{tmp_path}/{name}" for name in ("a", "a/b", "orbax")
    )


@pytest.mark.tfx
class TestVerify:
    @pytest.mark.parametrize(
        ("directory", "kind"),
        [
            ("managed", "TF checkpoint"),
            ("sliced", "TF checkpoint"),
            ("sharded", "TF checkpoint"),
            ("kinds", "TF checkpoint"),
            ("keras", "Keras checkpoint"),
        ],
    )
    @pytest.mark.parametrize("level", Level)
    def test_what_tensorflow_wrote_is_whole(
        self, written: Path, directory: str, kind: str, level: Level
    ) -> None:
        found = read_directory(str(written / directory)).checkpoints
        assert found
        for checkpoint in found:
            verification = verify(str(written / directory), checkpoint, level)
            assert verification.whole, verification.damages
            assert verification.kind == kind
            assert verification.path == str(written / directory / checkpoint.name)
            assert verification.files == len(checkpoint.files)

    def test_brackets_in_the_path_mean_nothing_to_load(self, copy: Copy, tmp_path: Path) -> None:
        copy("managed").rename(tmp_path / "run[1]")
        assert damages(tmp_path / "run[1]", "ckpt-1", Level.LOAD) == ()

    def test_the_newest_with_one_flipped_bit_is_the_only_damaged(self, copy: Copy) -> None:
        directory = copy("managed")
        flip(directory / "ckpt-100.data-00000-of-00001", 2200)
        found = named(directory)
        whole = {name for name in found if verify(str(directory), found[name], Level.CHECKSUMS).whole}
        assert set(found) - whole == {"ckpt-100"}

    def test_a_missing_shard_and_an_empty_graph(self, copy: Copy) -> None:
        directory = copy("sharded")
        (directory / "model-5.data-00001-of-00003").unlink()
        (directory / "model-5.meta").write_bytes(b"")
        assert damages(directory, "model-5", Level.STRUCTURE) == (
            Damage("model-5.data-00001-of-00003", "is missing"),
            Damage("model-5.meta", "is empty"),
        )

    def test_keras_archives(self, copy: Copy) -> None:
        directory = copy("keras")
        file = directory / "model-12.keras"
        whole = file.read_bytes()
        append(file)
        assert "bytes behind its end" in str(damages(directory, file.name, Level.STRUCTURE)[0])
        file.write_bytes(whole)
        cut(file, 1)
        assert "not a whole ZIP archive" in str(damages(directory, file.name, Level.STRUCTURE)[0])
        file.write_bytes(whole)
        flip(file, whole.index(b"\x89HDF") + 3000)
        assert damages(directory, file.name, Level.STRUCTURE) == ()
        assert "Bad CRC-32" in str(damages(directory, file.name)[0])
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("metadata.json", json.dumps({}))
        assert "lacks its member config.json" in str(damages(directory, file.name, Level.STRUCTURE)[0])
        file.write_bytes(b"")
        assert damages(directory, file.name)

    def test_keras_weights(self, copy: Copy) -> None:
        directory = copy("keras")
        file = directory / "weights.05.weights.h5"
        whole = file.read_bytes()
        append(file)
        assert "1 byte too long" in str(damages(directory, file.name, Level.STRUCTURE)[0])
        file.write_bytes(whole)
        cut(file, 1)
        assert "1 byte too short" in str(damages(directory, file.name, Level.STRUCTURE)[0])
        file.write_bytes(b"not " + whole)
        assert "not an HDF5 file" in str(damages(directory, file.name)[0])
        for size in range(120):
            file.write_bytes(whole[:size])
            assert damages(directory, file.name, Level.STRUCTURE), size

    @pytest.mark.parametrize("version", ["earliest", "v110"])
    def test_every_generation_of_hdf5(self, tmp_path: Path, version: str) -> None:
        import h5py

        with h5py.File(tmp_path / "w-1.weights.h5", "w", libver=version) as file:
            file["kernel"] = [1.0, 2.0]
        assert damages(tmp_path, "w-1.weights.h5", Level.LOAD) == ()
        append(tmp_path / "w-1.weights.h5")
        assert damages(tmp_path, "w-1.weights.h5", Level.STRUCTURE)

    def test_load_reports_what_h5py_says(self, copy: Copy) -> None:
        directory = copy("keras")
        file = directory / "weights.05.weights.h5"
        data = bytearray(file.read_bytes())
        data[200:-1] = bytes(len(data) - 201)
        file.write_bytes(data)
        (damage,) = damages(directory, file.name, Level.LOAD)
        assert damage.problem.startswith("is not loaded by h5py: ")
