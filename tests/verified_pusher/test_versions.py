from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tfx_janitor.verified_pusher import versions
from tfx_janitor.verified_pusher.durability import Unsynced
from tfx_janitor.verified_pusher.errors import PushError
from tfx_janitor.verified_pusher.versions import Version, Versioning

NOON = 1_700_000_000


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("1700000000", 1_700_000_000),
        ("0", 0),
        ("007", 7),
        ("+7", 7),
        (" 7", 7),
        (str(2**63 - 1), 2**63 - 1),
        (str(2**63), None),
        ("-7", None),
        ("7.5", None),
        ("7a", None),
        ("", None),
        ("\u0667", None),
        (".tfx-janitor-push", None),
        ("temp-7", None),
    ],
)
def test_a_name_is_a_version_where_a_model_server_reads_one(name: str, number: int | None) -> None:
    assert versions.parse(name) == number


def test_versions_come_in_the_order_of_their_numbers_not_of_their_names(tmp_path: Path) -> None:
    for name in ("9", "10", "latest"):
        (tmp_path / name).mkdir()
    assert versions.taken(str(tmp_path)) == (Version(9, "9"), Version(10, "10"))


def test_files_and_broken_links_take_a_number_but_serve_nothing(tmp_path: Path) -> None:
    (tmp_path / "1").mkdir()
    (tmp_path / "2").write_text("")
    (tmp_path / "3").symlink_to("nowhere")
    (tmp_path / "4").symlink_to("1")
    assert [version.number for version in versions.taken(str(tmp_path))] == [1, 2, 3, 4]
    assert [version.number for version in versions.served(str(tmp_path))] == [1, 4]


def test_a_version_is_to_be_the_time_in_seconds() -> None:
    assert versions.wanted(Versioning.TIMESTAMP, now_ms=NOON * 1000 + 999, execution_id=34) == NOON


def test_a_version_may_be_the_execution_that_pushes_it() -> None:
    assert versions.wanted(Versioning.EXECUTION_ID, now_ms=NOON * 1000, execution_id=34) == 34


def test_an_execution_that_is_not_known_is_refused_rather_than_guessed() -> None:
    with pytest.raises(PushError, match="this orchestrator tells none; push with versioning='timestamp'"):
        versions.wanted(Versioning.EXECUTION_ID, now_ms=NOON * 1000, execution_id=None)


def test_the_first_version_has_the_wanted_number() -> None:
    assert versions.following(NOON, []) == 1_700_000_000


def test_a_second_push_in_the_same_second_is_one_higher() -> None:
    assert versions.following(NOON, [1_700_000_000]) == 1_700_000_001


def test_a_clock_that_goes_back_does_not_lower_the_version() -> None:
    assert versions.following(NOON - 86_400, [1_700_000_000]) == 1_700_000_001


def test_an_execution_below_what_was_used_gets_the_next_number_above() -> None:
    assert versions.following(34, [12, 33]) == 34
    assert versions.following(34, [1_700_000_000]) == 1_700_000_001


def test_numbers_above_the_clock_are_passed() -> None:
    assert versions.following(NOON, [20_240_101_120_000]) == 20_240_101_120_001


def test_no_version_is_made_that_a_model_server_cannot_read() -> None:
    with pytest.raises(PushError, match="no version number is left"):
        versions.following(NOON, [2**63 - 1])


def _standing(*numbers: int) -> list[Version]:
    return [Version(number, str(number)) for number in numbers]


def _numbers(found: tuple[Version, ...]) -> list[int]:
    return [version.number for version in found]


def _nobody(_number: int) -> bool:
    return False


def test_versions_beyond_the_newest_are_surplus_oldest_first() -> None:
    assert _numbers(versions.surplus(_standing(10, 9, 8, 7), 2, pushed=10, in_use=_nobody)) == [7, 8]


def test_fewer_versions_than_are_kept_leave_no_surplus() -> None:
    assert versions.surplus(_standing(9, 10), 5, pushed=10, in_use=_nobody) == ()


def test_the_version_just_pushed_is_no_surplus_even_if_another_is_newer() -> None:
    assert _numbers(versions.surplus(_standing(8, 9, 10), 1, pushed=9, in_use=_nobody)) == [8]


def test_a_version_in_use_is_no_surplus() -> None:
    assert _numbers(versions.surplus(_standing(7, 8, 9, 10), 1, pushed=10, in_use=lambda n: n == 8)) == [7, 9]


def test_what_to_do_about_a_record_that_is_cut_can_be_pasted(tmp_path: Path) -> None:
    base = tmp_path / "it's served"
    for name in ("7", "1700000004", ".tfx-janitor-push"):
        (base / name).mkdir(parents=True)
    record = base / ".tfx-janitor-push" / "versions.json"
    record.touch()
    with pytest.raises(PushError) as refused:
        versions.read_highest(str(record))
    told = str(refused.value)
    assert f"The highest that stands in {base} is 1700000004; `tfx-janitor lineage --served " in told
    command = told.partition("If none was: ")[2].removesuffix(" (else with that number)")
    subprocess.run(["sh", "-c", command], check=True)
    assert versions.read_highest(str(record)) == 1700000004


def test_a_record_that_is_no_text_is_refused_all_the_same(tmp_path: Path) -> None:
    record = tmp_path / "versions.json"
    record.write_bytes(b"\xff\x00\xfe")
    with pytest.raises(PushError, match="If none was: echo"):
        versions.read_highest(str(record))


def test_the_highest_number_is_remembered(tmp_path: Path) -> None:
    record = str(tmp_path / "versions.json")
    assert versions.read_highest(record) == 0
    versions.write_highest(record, 7, Unsynced())
    versions.write_highest(record, 8, Unsynced())
    assert versions.read_highest(record) == 8
    assert [path.name for path in tmp_path.iterdir()] == ["versions.json"]


@pytest.mark.parametrize("text", ["", "7", '{"highest": "7"}', '{"highest": -1}', '{"highest": true}', "{}"])
def test_a_record_that_is_not_understood_is_refused_rather_than_guessed(tmp_path: Path, text: str) -> None:
    record = tmp_path / "versions.json"
    record.write_text(text)
    with pytest.raises(PushError, match="highest"):
        versions.read_highest(str(record))
