"""What a CheckpointJanitor is told survives the way through MLMD, and passwords never go there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ml_metadata.proto import metadata_store_pb2 as mlmd

from tests.builders import keep_models
from tests.checkpoint_janitor.test_unrooted import UNROOTED
from tfx_janitor.checkpoint_janitor.options import OptionError, Options
from tfx_janitor.errors import JanitorError
from tfx_janitor.policy.schema import RetentionPolicy


def policy_over(root: Path) -> RetentionPolicy:
    return RetentionPolicy.from_dict(
        {"version": 1, "roots": [str(root)], "grace": "36h", "rules": [keep_models(last=2)]}
    )


def sqlite(path: Path) -> mlmd.ConnectionConfig:
    config = mlmd.ConnectionConfig()
    config.sqlite.filename_uri = str(path / "metadata.db")
    config.sqlite.connection_mode = mlmd.SqliteMetadataSourceConfig.READWRITE_OPENCREATE
    return config


@pytest.mark.parametrize("flags", [{}, {"whole_store": True}, {"fail_pipeline": True}])
def test_options_come_back_as_they_went(tmp_path: Path, flags: dict[str, bool]):
    options = Options(policy_over(tmp_path), sqlite(tmp_path), **flags)
    parameters = options.to_parameters()
    assert all(isinstance(value, (str, int)) for value in parameters.values())
    again = Options.from_parameters(parameters)
    assert again == options
    assert again.policy.to_dict() == options.policy.to_dict()


def test_a_policy_without_roots_comes_back_without_them(tmp_path: Path):
    options = Options(UNROOTED, sqlite(tmp_path))
    assert Options.from_parameters(options.to_parameters()) == options


def test_the_same_options_are_the_same_text(tmp_path: Path):
    first, second = (Options(policy_over(tmp_path), sqlite(tmp_path)).to_parameters() for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    ("field", "config"),
    [
        ("mysql.password", mlmd.ConnectionConfig(mysql={"host": "db", "user": "tfx", "password": "s3cret"})),
        ("postgresql.password", mlmd.ConnectionConfig(postgresql={"host": "db", "password": "s3cret"})),
        (
            "postgresql.ssloption.sslpassword",
            mlmd.ConnectionConfig(postgresql={"host": "db", "ssloption": {"sslpassword": "s3cret"}}),
        ),
    ],
)
def test_a_password_is_refused_and_not_repeated(tmp_path: Path, field: str, config: mlmd.ConnectionConfig):
    with pytest.raises(OptionError, match=f"without {field}.*environment") as refused:
        Options(policy_over(tmp_path), config)
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"policy": "janitor.yaml"}, "RetentionPolicy.from_yaml"),
        ({"metadata": "sqlite:///metadata.db"}, "ConnectionConfig that the pipeline has"),
        ({"metadata": mlmd.ConnectionConfig()}, "sqlite metadata connection config"),
    ],
)
def test_what_is_no_option_is_refused(tmp_path: Path, change: dict[str, Any], message: str):
    given = {"policy": policy_over(tmp_path), "metadata": sqlite(tmp_path), **change}
    with pytest.raises(JanitorError, match=message):
        Options(**given)


@pytest.mark.parametrize("change", [{"policy": "{"}, {"metadata_connection_config": "{"}])
def test_parameters_that_somebody_else_wrote_are_refused(tmp_path: Path, change: dict[str, str]):
    parameters = Options(policy_over(tmp_path), sqlite(tmp_path)).to_parameters()
    with pytest.raises(JanitorError):
        Options.from_parameters({**parameters, **change})
    with pytest.raises(OptionError, match="parameters of a CheckpointJanitor"):
        Options.from_parameters({})
