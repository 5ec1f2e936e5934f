from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tfx_janitor.payload import protos, saved_model, tensor_bundle
from tfx_janitor.payload.verification import Damage, Level

from .damaging import append, cut, flip, flipped

Copy = Callable[[str], Path]

pytestmark = pytest.mark.tfx

DATA = "variables/variables.data-00000-of-00001"
INDEX = "variables/variables.index"


def damages(model: Path, level: Level = Level.CHECKSUMS) -> tuple[Damage, ...]:
    return saved_model.verify(str(model), level).damages


@pytest.mark.parametrize("name", ["classifier", "doubler", "estimator", "estimator_as_text", "frozen"])
@pytest.mark.parametrize("level", [Level.STRUCTURE, Level.CHECKSUMS, Level.LOAD])
def test_whole_models_are_whole_at_every_level(written: Path, name: str, level: Level) -> None:
    verification = saved_model.verify(str(written / name), level)
    assert verification.whole, verification.damages
    assert verification.kind == "SavedModel"
    assert verification.files == sum(1 for path in (written / name).rglob("*") if path.is_file())
    assert verification.bytes == sum(p.stat().st_size for p in (written / name).rglob("*") if p.is_file())


def test_counts_the_tensors_that_tensorflow_counts(written: Path, tf: Any) -> None:
    listed = tf.train.list_variables(str(written / "classifier" / "variables" / "variables"))
    assert saved_model.verify(str(written / "classifier"), Level.STRUCTURE).tensors == len(listed)


@pytest.mark.parametrize("level", [Level.STRUCTURE, Level.CHECKSUMS])
@pytest.mark.parametrize(
    ("hurt", "damage"),
    [
        (lambda m: shutil.rmtree(m / "variables"), f"{INDEX} is missing, but the graph has variables"),
        (lambda m: [p.unlink() for p in (m / "variables").iterdir()], f"{INDEX} is missing, but the graph"),
        (lambda m: (m / INDEX).unlink(), f"{INDEX} is missing"),
        (lambda m: (m / INDEX).write_bytes(b""), f"{INDEX} has 0 bytes, too few for an index"),
        (lambda m: (m / DATA).unlink(), f"{DATA} is missing"),
        (
            lambda m: cut(m / DATA, 1),
            f"{DATA} is 1 byte too short: a tensor is cut off (tensor _CHECKPOINTABLE",
        ),
        (lambda m: append(m / DATA), f"{DATA} is 1 byte too long"),
        (lambda m: append(m / INDEX), f"{INDEX} does not match its fingerprint"),
        (lambda m: flip(m / INDEX, 100), f"{INDEX} does not match its fingerprint"),
        (lambda m: flip(m / "saved_model.pb", 5000), "saved_model.pb does not match its fingerprint"),
        (lambda m: cut(m / "saved_model.pb", 1), "saved_model.pb does not match its fingerprint"),
        (lambda m: (m / "saved_model.pb").write_bytes(b""), "saved_model.pb is empty"),
        (lambda m: (m / "saved_model.pb").unlink(), "saved_model.pb is missing"),
        (lambda m: (m / "fingerprint.pb").write_bytes(b""), "fingerprint.pb is empty"),
        (lambda m: (m / "fingerprint.pb").write_bytes(b"\xff"), "fingerprint.pb cannot be parsed"),
        (lambda m: (m / "assets/vocabulary.txt").unlink(), "assets/vocabulary.txt is missing, but the graph"),
    ],
)
def test_damage_that_needs_no_tensors_is_found_at_once(
    copy: Copy, hurt: Callable[[Path], object], damage: str, level: Level
) -> None:
    model = copy("classifier")
    hurt(model)
    found = [str(found) for found in damages(model, level)]
    assert any(line.startswith(damage) for line in found), found


def test_a_flipped_bit_in_the_data_is_found_by_checksums_and_names_its_tensor(copy: Copy) -> None:
    model = copy("classifier")
    bias = next(
        tensor
        for tensor in tensor_bundle.read_index(str(model / INDEX)).tensors
        if tensor.key == "bias/.ATTRIBUTES/VARIABLE_VALUE"
    )
    flip(model / DATA, bias.offset)
    assert damages(model, Level.STRUCTURE) == ()
    assert damages(model) == (
        Damage(DATA, "has bytes that do not match their checksum", "bias/.ATTRIBUTES/VARIABLE_VALUE"),
    )


def test_every_flipped_bit_is_found(copy: Copy) -> None:
    """Except where there is no checksum: in assets, and in most fields of the fingerprint itself."""
    model = copy("classifier")
    for name, step in (("saved_model.pb", 61), (INDEX, 1), (DATA, 1)):
        for at in range(0, (model / name).stat().st_size, step):
            with flipped(model / name, at, bit=at % 8):
                assert damages(model), (name, at)
    fingerprint = (model / "fingerprint.pb").read_bytes()
    message = protos.parse_file(protos.Fingerprint, fingerprint)
    for at in range(len(fingerprint)):
        with flipped(model / "fingerprint.pb", at, bit=at % 7):
            found = damages(model)
        hurt = bytearray(fingerprint)
        hurt[at] ^= 1 << at % 7
        try:
            other = protos.parse_file(protos.Fingerprint, bytes(hurt))
        except protos.DecodeError:
            assert found, at
            continue
        for field in ("saved_model_checksum", "checkpoint_hash"):
            lost = other.version.producer < 1 or not getattr(other, field)
            if getattr(other, field) != getattr(message, field) and not lost:
                assert found, at
    assert damages(model) == ()


@pytest.mark.parametrize("level", [Level.STRUCTURE, Level.CHECKSUMS])
def test_a_model_without_fingerprint_is_judged_by_the_rest(copy: Copy, level: Level) -> None:
    model = copy("classifier")
    (model / "fingerprint.pb").unlink()
    assert damages(model, level) == ()
    whole = (model / "saved_model.pb").read_bytes()
    for hurt in (whole[:-10], whole + b"\0", whole + b"\x0c", whole + b"\x0a"):
        (model / "saved_model.pb").write_bytes(hurt)
        assert damages(model, level) == (Damage("saved_model.pb", "cannot be parsed"),)


def test_the_first_kind_of_fingerprint_says_nothing_about_the_file(copy: Copy) -> None:
    model = copy("classifier")
    old = protos.parse_file(protos.Fingerprint, (model / "fingerprint.pb").read_bytes())
    old.saved_model_checksum = 1
    old.ClearField("version")
    (model / "fingerprint.pb").write_bytes(old.SerializeToString())
    assert damages(model) == ()


@pytest.mark.parametrize("name", ["estimator", "estimator_as_text"])
def test_an_older_graph_with_variables_needs_them(copy: Copy, name: str) -> None:
    model = copy(name)
    shutil.rmtree(model / "variables")
    assert damages(model, Level.STRUCTURE) == (Damage(INDEX, "is missing, but the graph has variables"),)


def test_tensorflow_2_needs_its_index_even_without_variables(copy: Copy, tf: Any) -> None:
    model = copy("doubler")
    (model / "fingerprint.pb").unlink()
    assert damages(model) == ()
    shutil.rmtree(model / "variables")
    assert damages(model) == (Damage(INDEX, "is missing, but the graph has variables"),)
    with pytest.raises(FileNotFoundError):
        tf.saved_model.load(str(model))


def test_a_model_of_another_model_s_variables_is_damaged(copy: Copy) -> None:
    model, other = copy("classifier"), copy("doubler")
    shutil.rmtree(model / "variables")
    shutil.copytree(other / "variables", model / "variables")
    assert Damage(INDEX, "does not match its fingerprint in fingerprint.pb") in damages(model)


def test_a_chunked_model_is_not_understood_rather_than_damaged(copy: Copy) -> None:
    model = copy("classifier")
    (model / "saved_model.pb").rename(model / "saved_model.cpb")
    assert "not understood" in str(damages(model)[0])


def test_whatever_takes_the_place_of_a_file_is_a_damage(copy: Copy) -> None:
    model = copy("classifier")
    names = [str(path.relative_to(model)) for path in model.rglob("*") if path.is_file()]
    for name in names:
        file = model / name
        kept = file.read_bytes()
        for kind, put in (
            ("a link", lambda file=file: file.symlink_to("/dev/zero")),
            ("a FIFO", lambda file=file: os.mkfifo(file)),
        ):
            file.unlink()
            put()
            assert Damage(name, f"is {kind}, not a file") in damages(model), name
        file.unlink()
        file.mkdir()
        if name != "fingerprint.pb":
            assert damages(model), name
        file.rmdir()
        file.write_bytes(kept)
    assert damages(model) == ()
    (model / "assets.extra").symlink_to("/")
    assert damages(model) == (Damage("assets.extra", "is a link, not a file"),)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_what_may_not_be_read_is_a_damage(written: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    program = (
        "import os, sys\n"
        "from tfx_janitor.payload import saved_model\n"
        "from tfx_janitor.payload.verification import Level\n"
        "os.chdir(sys.argv[1]); os.seteuid(65534)\n"
        "for damage in saved_model.verify('model', Level.CHECKSUMS).damages: print(damage)\n"
    )
    directory = tmp_path_factory.mktemp("somebody")
    model = Path(shutil.copytree(written / "classifier", directory / "model"))
    for parent in (directory, *directory.parents):
        if parent.owner() == "root" and parent.name.startswith(("pytest", "somebody")):
            parent.chmod(0o755)
    (model / "saved_model.pb").chmod(0)
    (model / "variables").chmod(0)
    done = subprocess.run(
        [sys.executable, "-c", program, directory], capture_output=True, text=True, check=True
    )
    assert "saved_model.pb cannot be read: permission denied" in done.stdout
    assert "variables cannot be read: permission denied" in done.stdout


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_bytes_in_any_file_are_a_verification(copy: Copy, tmp_path: Path, data: st.DataObject) -> None:
    model = tmp_path / "classifier"
    if not model.exists():
        copy("classifier")
    name = data.draw(st.sampled_from(["saved_model.pb", "fingerprint.pb", INDEX, DATA]))
    kept = (model / name).read_bytes()
    start = data.draw(st.integers(0, len(kept)))
    stop = data.draw(st.integers(start, len(kept)))
    hurt = kept[:start] + data.draw(st.binary(max_size=40)) + kept[stop:]
    (model / name).write_bytes(hurt)
    found = damages(model)
    (model / name).write_bytes(kept)
    if hurt != kept and name != "fingerprint.pb":
        assert found


def test_a_directory_that_is_not_there_is_a_damage(tmp_path: Path) -> None:
    assert damages(tmp_path / "missing") == (Damage(".", "is missing"),)
    (tmp_path / "file").write_bytes(b"x")
    assert damages(tmp_path / "file") == (Damage(".", "is not a directory"),)


def test_load_reports_what_tensorflow_says(copy: Copy) -> None:
    model = copy("estimator")
    graph = protos.SavedModel()
    graph.meta_graphs.add().graph_def.node.add(op=b"NoSuchOp")
    (model / "saved_model.pb").write_bytes(graph.SerializeToString())
    assert damages(model) == ()
    (damage,) = damages(model, Level.LOAD)
    assert damage.file == "."
    assert damage.problem.startswith("is not loaded by TensorFlow: ")


def test_brackets_in_the_path_mean_nothing_to_load(copy: Copy, tmp_path: Path) -> None:
    copy("classifier").rename(tmp_path / "run[1]")
    assert damages(tmp_path / "run[1]", Level.LOAD) == ()


def test_nothing_but_load_imports_tensorflow(written: Path) -> None:
    program = (
        "import sys\n"
        "from tfx_janitor.payload.recognise import verify_payload\n"
        "from tfx_janitor.payload.verification import Level\n"
        "assert all(v.whole for v in verify_payload(sys.argv[1], Level.CHECKSUMS))\n"
        "print([m for m in ('tensorflow', 'tfx', 'apache_beam', 'h5py', 'numpy') if m in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, written], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


class TestFind:
    def make(self, *models: Path) -> None:
        for model in models:
            model.mkdir(parents=True)
            (model / "saved_model.pb").write_bytes(b"x")

    def test_a_model_itself(self, tmp_path: Path) -> None:
        self.make(tmp_path / "pushed")
        assert saved_model.find(str(tmp_path / "pushed")) == (str(tmp_path / "pushed"),)

    def test_an_artifact_with_its_serving_model_first(self, tmp_path: Path) -> None:
        self.make(tmp_path / "Format-TFMA", tmp_path / "Format-Serving")
        assert saved_model.find(str(tmp_path)) == (f"{tmp_path}/Format-Serving", f"{tmp_path}/Format-TFMA")

    def test_an_artifact_of_an_old_estimator(self, tmp_path: Path) -> None:
        serving = tmp_path / "serving_model_dir/export/exporter/1600000001"
        evaluation = tmp_path / "eval_model_dir/1600000000"
        self.make(serving, evaluation)
        assert saved_model.find(str(tmp_path)) == (str(serving), str(evaluation))

    def test_timestamped_exports_newest_first(self, tmp_path: Path) -> None:
        self.make(tmp_path / "9", tmp_path / "10")
        (tmp_path / "11").mkdir()
        assert saved_model.find(str(tmp_path)) == (f"{tmp_path}/10", f"{tmp_path}/9")

    def test_an_emptied_serving_directory_still_counts(self, tmp_path: Path) -> None:
        (tmp_path / "Format-Serving").mkdir()
        assert saved_model.find(str(tmp_path)) == (f"{tmp_path}/Format-Serving",)
        assert not saved_model.verify(f"{tmp_path}/Format-Serving", Level.STRUCTURE).whole

    def test_nothing(self, tmp_path: Path) -> None:
        assert saved_model.find(str(tmp_path)) == ()
        assert saved_model.find(str(tmp_path / "missing")) == ()

    def test_links_are_not_followed(self, tmp_path: Path) -> None:
        self.make(tmp_path / "elsewhere" / "1")
        (tmp_path / "artifact").mkdir()
        (tmp_path / "artifact" / "Format-Serving").symlink_to(tmp_path / "elsewhere" / "1")
        assert saved_model.find(str(tmp_path / "artifact")) == ()
