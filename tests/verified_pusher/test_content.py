from __future__ import annotations

import os
from pathlib import Path

import pytest

from tfx_janitor.verified_pusher import content
from tfx_janitor.verified_pusher.content import ContentFile
from tfx_janitor.verified_pusher.errors import ModelRefused


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    model = tmp_path / "model"
    (model / "variables").mkdir(parents=True)
    (model / "saved_model.pb").write_bytes(b"graph")
    (model / "variables" / "variables.index").write_bytes(b"")
    return model


def test_a_digest_covers_names_and_bytes_and_no_order(tree: Path) -> None:
    files = content.digest(content.scan(str(tree)))
    assert [(file.path, file.size) for file in files] == [
        ("saved_model.pb", 5),
        ("variables/variables.index", 0),
    ]
    assert content.content_digest(files) == content.content_digest(reversed(files))
    renamed = [ContentFile("saved_model.pbtxt", files[0].size, files[0].blake3), files[1]]
    assert content.content_digest(renamed) != content.content_digest(files)


def test_the_digest_of_a_content_is_the_same_in_every_release() -> None:
    files = [ContentFile("a/b", 3, "00ff"), ContentFile("ä", 0, "11")]
    assert content.content_digest(files) == (
        "blake3:ef563e4f2b486ec29155a9f3719df1c1a56a8261a90fac1c419029837d1d4c2e"
    )


def test_a_file_name_that_is_not_utf8_has_a_digest(tree: Path) -> None:
    Path(os.fsdecode(os.fsencode(tree) + b"/\xff")).write_bytes(b"")
    assert content.content_digest(content.digest(content.scan(str(tree)))).startswith("blake3:")


def test_only_what_lies_directly_in_the_model_can_be_left_out(tree: Path) -> None:
    (tree / "note.json").write_text("")
    (tree / "variables" / "note.json").write_text("")
    found = content.scan(str(tree), without=("note.json",))
    assert [file.path for file in found.files] == [
        "saved_model.pb",
        "variables/note.json",
        "variables/variables.index",
    ]


def test_a_link_inside_the_model_counts_as_what_it_points_to(tree: Path) -> None:
    (tree / "assets").mkdir()
    (tree / "assets" / "graph").symlink_to("../saved_model.pb")
    (tree / "again").symlink_to("variables")
    found = content.scan(str(tree))
    assert {file.path: file.size for file in found.files} == {
        "again/variables.index": 0,
        "assets/graph": 5,
        "saved_model.pb": 5,
        "variables/variables.index": 0,
    }
    assert found.directories == ("again", "assets", "variables")


def test_a_model_may_be_reached_through_a_link(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "latest").symlink_to(tree)
    (tree / "graph").symlink_to(tree / "saved_model.pb")
    assert content.digest(content.scan(str(tmp_path / "latest"))) == content.digest(content.scan(str(tree)))


@pytest.mark.parametrize(
    ("target", "complaint"),
    [
        ("../elsewhere", "outside the model"),
        ("/etc/hostname", "outside the model"),
        ("../model-2", "outside the model"),
        ("nowhere", "link to nothing"),
        (".", "in a circle"),
        ("variables/loop", "link to nothing|in a circle|outside"),
    ],
)
def test_a_link_to_anything_else_is_refused(tree: Path, tmp_path: Path, target: str, complaint: str) -> None:
    (tmp_path / "elsewhere").write_text("")
    (tmp_path / "model-2").mkdir()
    (tree / "variables" / "loop").symlink_to("..")
    (tree / "odd").symlink_to(target)
    if target != "variables/loop":
        (tree / "variables" / "loop").unlink()
    with pytest.raises(ModelRefused, match=complaint):
        content.scan(str(tree))


def test_a_pipe_is_refused_and_not_waited_for(tree: Path) -> None:
    os.mkfifo(tree / "pipe")
    with pytest.raises(ModelRefused, match="neither a file nor a directory"):
        content.scan(str(tree))


def test_a_file_that_became_a_pipe_after_it_was_listed_is_refused(tree: Path) -> None:
    listed = content.scan(str(tree))
    (tree / "saved_model.pb").unlink()
    os.mkfifo(tree / "saved_model.pb")
    with pytest.raises(ModelRefused, match="regular file"):
        content.digest(listed)
