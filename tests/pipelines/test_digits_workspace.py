from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.inception_digits import workspace
from pipelines.inception_digits.workspace import open_workspace
from tfx_janitor import RetentionPolicy

TEMPLATE = Path(workspace.__file__).with_name("janitor.yaml")


def test_a_second_demo_continues_where_the_first_one_ended(tmp_path: Path) -> None:
    first = open_workspace(tmp_path / "demo", "digits", fresh=False)
    first.metadata.touch()
    assert open_workspace(tmp_path / "demo", "digits", fresh=False).metadata.exists()


def test_a_fresh_demo_removes_what_earlier_ones_left_and_nothing_beside_it(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    first = open_workspace(tmp_path / "demo", "digits", fresh=True)
    first.metadata.touch()
    second = open_workspace(tmp_path / "demo", "digits", fresh=True)
    assert not second.metadata.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["demo", "thesis.tex"]


@pytest.mark.parametrize("fresh", [True, False])
def test_a_directory_that_holds_other_things_is_left_alone(tmp_path: Path, fresh: bool) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(ValueError, match="holds other things"):
        open_workspace(tmp_path, "digits", fresh=fresh)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_the_policy_in_force_is_the_template_with_the_roots_of_the_demo(tmp_path: Path) -> None:
    demo = open_workspace(tmp_path / 'a "quoted": name', "digits", fresh=False)
    policy = RetentionPolicy.from_yaml(demo.write_policy(TEMPLATE))
    assert policy.roots == (str(tmp_path / 'a "quoted": name' / "pipelines"),)
    assert policy.serving == (str(demo.serving),)
    assert policy.rules == RetentionPolicy.from_yaml(TEMPLATE, roots=["/elsewhere"]).rules
