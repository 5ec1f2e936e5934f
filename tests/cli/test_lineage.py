"""`lineage` names what led to an artifact, whatever it is called by, and what served when."""

from __future__ import annotations

import re
from shutil import rmtree

import pydot
import pytest

from tests.builders import IMPORTER, History, Output, Retraining, flip_bit
from tests.cli.conftest import Call
from tests.cli.test_hostile_names import HOSTILE, shown, str_values
from tfx_janitor.version import VERSION


@pytest.fixture
def made(history: History) -> Retraining:
    pipeline = history.pipeline()
    pipeline.retrain()
    return pipeline.retrain()


def test_a_file_deep_in_a_served_version_names_run_data_and_blessing(on: Call, made: Retraining):
    file = made.push.destination / "variables" / "variables.index"
    assert file.is_file()
    answer = on("lineage", file, "--upstream")
    assert answer.code == 0
    assert f"\nmodel: Model {made.model.id}, trained in run inception-run-2\n" in answer.out
    assert f"\ndata: Examples {made.examples.id}, span 0, version 0\n" in answer.out
    assert f"\nblessing: ModelBlessing {made.blessing.id}, blessed\n" in answer.out
    for executed in (made.push.execution, made.training.execution):
        assert f"of execution {executed} (" in answer.out
    told = on("lineage", file, "--format", "json").json
    assert (told["root"], told["served"]) == (["artifact", made.push.pushed_model.id], True)
    assert told["origin"]["run"] == "inception-run-2"


def test_the_same_by_id_by_uri_and_by_a_path_inside(on: Call, made: Retraining):
    inside = made.model.path / "Format-Serving" / "saved_model.pb"
    answers = {on("lineage", name).out for name in (made.model.id, made.model.uri, inside)}
    assert len(answers) == 1


def test_a_served_version_that_is_long_gone(on: Call, history: History, made: Retraining):
    rmtree(made.push.destination)
    history.set_state(made.push.pushed_model, "DELETED")
    told = on("lineage", made.push.destination / "saved_model.pb", "--format", "json").json
    assert told["nodes"][0]["state"] == "DELETED"
    assert told["origin"]["models"] == [made.model.id]


def test_parameters_tell_what_the_code_was_told(on: Call, history: History, made: Retraining):
    (trained,) = history.store.get_executions_by_id([made.training.execution])
    trained.custom_properties["train_args"].string_value = '{"num_steps": 100}'
    history.store.put_executions([trained])
    assert 'train_args {"num_steps": 100}' in on("lineage", made.model.id).out
    nodes = on("lineage", made.model.id, "--format", "json").json["nodes"]
    (trainer,) = (node for node in nodes if node["step"] == ["execution", made.training.execution])
    assert trainer["parameters"] == {"train_args": '{"num_steps": 100}'}


def test_a_parameter_that_names_a_payload_is_an_edge(on: Call, history: History, made: Retraining):
    execution, outputs = (
        history.pipeline("other").run().execute(IMPORTER, outputs={"result": Output("Thing")})
    )
    (importer,) = history.store.get_executions_by_id([execution])
    importer.custom_properties["artifact_uri"].string_value = made.model.uri
    history.store.put_executions([importer])
    down = on("lineage", made.model.id, "--downstream")
    assert f"named in artifact_uri of execution {execution} (Importer" in down.out
    up = on("lineage", outputs["result"].id, "--upstream", "--format", "json").json
    assert {
        "from": ["artifact", made.model.id],
        "to": ["execution", execution],
        "by": "property",
        "role": None,
        "name": "artifact_uri",
        "holder": ["execution", execution],
    } in up["edges"]
    told = on("lineage", outputs["result"].id, "--upstream").out
    assert f"its artifact_uri names Model {made.model.id}" in told


def test_directions_and_depth(on: Call, made: Retraining):
    def steps(*options: object) -> int:
        return len(on("lineage", made.model.id, "--format", "json", *options).json["nodes"])

    both, up, down = steps(), steps("--upstream"), steps("--downstream")
    assert both == up + down - 1 == steps("--upstream", "--downstream")
    assert steps("--depth", 1) == 4
    assert steps("--all") == both


def test_a_tree_ends_somewhere_unless_all_is_asked_for(on: Call, history: History):
    run = history.pipeline().run()
    model = run.train().model
    for _ in range(6):
        model = run.train(warm_start=model).model
    assert "--all follows" in on("lineage", model.id).out
    assert "--all follows" not in on("lineage", model.id, "--all").out


def test_a_tree_shows_some_of_many_uses(on: Call, history: History, made: Retraining):
    run = history.pipeline("others").run()
    for _ in range(30):
        run.consume(made.model)
    tree = on("lineage", made.model.id, "--downstream")
    assert tree.out.count(" of execution ") < 30
    assert "--all follows" in tree.out
    assert on("lineage", made.model.id, "--downstream", "--all").out.count("BulkInferrer") == 30
    nodes = on("lineage", made.model.id, "--downstream", "--format", "json").json["nodes"]
    assert sum(node.get("node") == "BulkInferrer" for node in nodes) == 30


def test_dot_is_dot_and_nothing_else(on: Call, made: Retraining):
    graphs = pydot.graph_from_dot_data(on("lineage", made.model.id, "--format", "dot").out)
    assert graphs is not None
    told = on("lineage", made.model.id, "--format", "json").json
    names = {node.get_name() for node in graphs[0].get_nodes()} - {"graph"}
    assert names == {f'"{kind} {number}"' for kind, number in (node["step"] for node in told["nodes"])}
    assert len(graphs[0].get_edges()) == len(told["edges"])


def test_every_edge_is_between_nodes_that_are_listed(on: Call, made: Retraining):
    told = on("lineage", made.model.id, "--format", "json").json
    listed = [tuple(node["step"]) for node in told["nodes"]]
    assert len(listed) == len(set(listed))
    assert {tuple(edge[end]) for edge in told["edges"] for end in ("from", "to")} <= set(listed)


@pytest.mark.parametrize("format", ["table", "dot"])
def test_no_name_steers_a_terminal(on: Call, history: History, format: str):
    run = history.pipeline(f"pipeline {HOSTILE}").run(f"run {HOSTILE}")
    outputs = {f"key {HOSTILE}": Output("Thing", {f"pushed {HOSTILE}": HOSTILE}, uri=f"/srv/{HOSTILE}")}
    thing = run.execute("x.Maker", outputs=outputs)[1][f"key {HOSTILE}"]
    assert "two\\n" in shown(on("lineage", thing.id, "--format", format)).replace("\\\\", "\\")
    answer = on("lineage", thing.id, "--format", "json")
    assert HOSTILE in str_values(answer.json)
    assert answer.out.isascii()


def test_what_served_when(on: Call, history: History, made: Retraining):
    base = history.serving / "inception"
    told = on("lineage", "--served", base, "--format", "json").json
    first, second = told["versions"]
    assert (second["models"], second["run"], second["serving"]) == ([made.model.id], "inception-run-2", True)
    assert second["periods"] == [{"since": second["pushed_at"], "until": None}]
    assert first["periods"][0]["until"] == second["pushed_at"]
    assert (second["examples"][0]["artifact_id"], second["blessings"][0]["blessed"]) == (
        made.examples.id,
        True,
    )
    table = on("lineage", "--served", base)
    assert "  now  " in table.out and table.code == 0


def test_a_version_that_was_put_back(on: Call, history: History, made: Retraining):
    base = history.serving / "inception"
    first = history.snapshot().rows_of_type("Model")[0] + 1
    flip_bit(made.push.destination / "saved_model.pb")
    assert on("rollback", base, "--to", 1_700_000_001).code == 0
    told = on("lineage", "--served", base, "--format", "json").json["versions"]
    assert [(one["puts_back"], one["serving"], one["models"]) for one in told] == [
        (None, False, [first]),
        (None, False, [made.model.id]),
        (1_700_000_001, True, [first]),
    ]
    assert told[1]["periods"][0]["until"] == told[2]["periods"][0]["since"]
    answer = on("lineage", base / told[2]["version"] / "saved_model.pb", "--upstream")
    assert f"\nmodel: Model {first}, trained in run inception-run-1\n" in answer.out
    assert "(rollback, COMPLETE)" in answer.out


def test_an_act_is_told_without_its_record(on: Call, history: History, made: Retraining):
    flip_bit(made.push.destination / "saved_model.pb")
    assert on("rollback", history.serving / "inception", "--to", 1_700_000_001).code == 0
    first = history.snapshot().rows_of_type("Model")[0] + 1
    nodes = on("lineage", first, "--format", "json").json["nodes"]
    (act,) = [node for node in nodes if node.get("type") == "tfx_janitor.act.rollback"]
    actor = act["parameters"]["actor"]
    assert act["parameters"] == {"actor": actor, "version": VERSION} and "@" in actor

    tree = on("lineage", first).out
    (told,) = re.findall(rf"input serve of execution {act['execution_id']} .*\n(.*\n.*)\n", tree)
    kind, parameters = (line.lstrip("│ ") for line in told.split("\n"))
    assert kind.startswith("tfx_janitor.act.rollback; ")
    assert parameters == f"actor {actor}, version {VERSION}"
    assert "sha256" not in tree + on("lineage", first, "--format", "dot").out


def test_what_an_act_recorded_is_no_edge(on: Call, history: History, made: Retraining):
    # The record of a rollback has the directory in it; a parameter that names a place is an edge.
    base = history.serving / "inception"
    _, outputs = (
        history.pipeline("other").run().execute(IMPORTER, outputs={"result": Output("Thing", uri=str(base))})
    )
    flip_bit(made.push.destination / "saved_model.pb")
    assert on("rollback", base, "--to", 1_700_000_001).code == 0
    edges = on("lineage", outputs["result"].id, "--format", "json").json["edges"]
    assert [edge for edge in edges if edge["by"] == "property"] == []


def test_a_serving_directory_that_is_gone_still_has_its_history(on: Call, history: History, made: Retraining):
    rmtree(history.serving)
    told = on("lineage", "--served", history.serving / "inception", "--format", "json").json
    assert [(version["stands"], version["serving"]) for version in told["versions"]] == [(False, False)] * 2


def test_a_bucket_has_a_history_though_nobody_can_look(on: Call, history: History):
    run = history.pipeline().run()
    properties: dict[str, str | int] = {"pushed": 1, "pushed_destination": "gs://bucket/served/7"}
    run.execute("x.Pusher", outputs={"pushed_model": Output("PushedModel", properties)})
    answer = on("lineage", "--served", "gs://bucket/served")
    assert answer.code == 0
    assert "nobody can look into it from here" in answer.out and "unknown" in answer.out


def test_a_version_that_the_store_does_not_know(on: Call, history: History, made: Retraining):
    base = history.serving / "inception"
    (base / "1800000000").mkdir()
    answer = on("lineage", "--served", base)
    assert (
        "1800000000 stands there and is what is served, but no PushedModel of the store tells" in answer.out
    )
    assert "not recorded" in answer.out


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "expected either ID_OR_PATH or --served BASE_DIR, got neither"),
        (["1", "--served", "/x"], "expected either ID_OR_PATH or --served BASE_DIR, got both"),
        (["--served", "/x", "--format", "dot"], "--served has a table and JSON"),
        (["--served", "/x", "--depth", "3"], "--served has a table and JSON"),
        (["1", "--depth", "3", "--all"], "expected --depth N or --all"),
        (["99"], "the store has no artifact 99"),
        (["/nowhere"], "no artifact of the store lies at or around /nowhere"),
        (["--served", "/nowhere"], "it knows of pushes to "),
        (["--served", ""], "expected an absolute path or a URI"),
    ],
)
def test_bad_input_is_answered_with_what_to_do(
    on: Call, made: Retraining, arguments: list[str], expected: str
):
    answer = on("lineage", *arguments)
    assert (answer.code, answer.out) == (2, "")
    assert expected in answer.err


def test_it_changes_nothing(on: Call, history: History, made: Retraining):
    def store() -> list[str]:
        rows = [
            *history.store.get_artifacts(),
            *history.store.get_executions(),
            *history.store.get_contexts(),
        ]
        return [str(row) for row in rows]

    before, files = store(), sorted(history.home.rglob("*"))
    on("lineage", made.model.id)
    on("lineage", "--served", history.serving / "inception")
    assert (store(), sorted(history.home.rglob("*"))) == (before, files)
