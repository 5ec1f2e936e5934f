from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.builders import flip_bit
from tfx_janitor.verified_pusher import content, manifest
from tfx_janitor.verified_pusher.durability import Unsynced
from tfx_janitor.verified_pusher.errors import ManifestError
from tfx_janitor.verified_pusher.manifest import Execution, Manifest, Source, Verified


@pytest.fixture
def version(tmp_path: Path) -> Path:
    """A version directory as a push leaves it."""
    directory = tmp_path / "1700000000"
    (directory / "variables").mkdir(parents=True)
    (directory / "saved_model.pb").write_bytes(b"graph")
    (directory / "variables" / "variables.index").write_bytes(b"index")
    manifest.write(str(directory), _manifest(directory), Unsynced())
    return directory


def _manifest(directory: Path) -> Manifest:
    return Manifest(
        version=1_700_000_000,
        created_at_ms=1_700_000_000_123,
        source=Source("/pipelines/Trainer/model/7", 12, "Model"),
        execution=Execution(34, "digits", "run-5", "Pusher"),
        verified=Verified("checksums", "SavedModel", 3),
        files=content.digest(content.scan(str(directory))),
    )


def _problems(version: Path) -> list[str]:
    return [str(problem) for problem in manifest.check(str(version))]


def test_a_manifest_says_what_a_version_is_and_where_it_came_from(version: Path) -> None:
    document = json.loads((version / "tfx_janitor_manifest.json").read_text())
    assert document == {
        "schema": "tfx-janitor/manifest/v1",
        "version": 1_700_000_000,
        "created_at": "2023-11-14T22:13:20.123Z",
        "source": {"uri": "/pipelines/Trainer/model/7", "artifact_id": 12, "artifact_type": "Model"},
        "execution": {"id": 34, "pipeline": "digits", "run": "run-5", "node": "Pusher"},
        "verified": {"level": "checksums", "kind": "SavedModel", "tensors": 3},
        "content_digest": manifest.read(str(version)).content_digest,
        "files": [
            {
                "path": "saved_model.pb",
                "size": 5,
                "blake3": "806c38f6211dddabf2c77f766a693e11a41b26cccaa7f87f1e68f36af5d39a6e",
            },
            {
                "path": "variables/variables.index",
                "size": 5,
                "blake3": "aaa6dc8a27328ce8cb8fc0d7a46c2774d23a9db2b642477ca4b420102d359c45",
            },
        ],
    }


def test_what_is_written_is_what_is_read(version: Path) -> None:
    (version / manifest.NAME).unlink()
    expected = _manifest(version)
    manifest.write(str(version), expected, Unsynced())
    assert manifest.read(str(version)) == expected


def test_an_untouched_version_has_no_problems(version: Path) -> None:
    assert manifest.check(str(version)) == ()


def test_a_flipped_bit_is_found(version: Path) -> None:
    flip_bit(version / "saved_model.pb")
    assert _problems(version) == ["saved_model.pb has other bytes than it was pushed with"]


def test_missing_added_and_truncated_files_are_found(version: Path) -> None:
    (version / "saved_model.pb").unlink()
    (version / "notes.txt").write_text("")
    (version / "variables" / "variables.index").write_bytes(b"in")
    assert _problems(version) == [
        "notes.txt was added after the push",
        "saved_model.pb is missing",
        "variables/variables.index has 2 bytes, was pushed with 5",
    ]


def test_a_version_under_another_number_is_found(version: Path) -> None:
    moved = version.rename(version.with_name("1800000000"))
    assert _problems(moved) == ["tfx_janitor_manifest.json belongs to version 1700000000, not to 1800000000"]


def test_a_copy_of_a_version_under_a_name_that_is_no_number_is_fine(version: Path) -> None:
    assert _problems(version.rename(version.with_name("backup"))) == []


def test_a_link_to_outside_is_found(version: Path) -> None:
    (version / "leak").symlink_to("/etc")
    assert len(_problems(version)) == 1
    assert "outside the model" in _problems(version)[0]


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        ('"size": 5', '"size": 6', "was changed"),
        ("manifest/v1", "manifest/v9", "expected schema"),
        ('"node"', '"knot"', "cannot understand"),
        ("{", "", "cannot read"),
        ("2023-11-14T22:13:20.123Z", "yesterday", "cannot understand"),
    ],
)
def test_a_manifest_that_cannot_be_trusted_is_refused(
    version: Path, before: str, after: str, complaint: str
) -> None:
    path = version / manifest.NAME
    path.write_text(path.read_text().replace(before, after, 1))
    with pytest.raises(ManifestError, match=complaint):
        manifest.check(str(version))


def test_a_version_without_manifest_says_so(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="not pushed by VerifiedPusher"):
        manifest.read(str(tmp_path))
