"""What `lineage` prints, letter by letter, of one history: two runs, the first model deleted in good order.

The golden files beside this one are read by people before they are committed. After a change that is meant:

    REWRITE_GOLDEN=1 scripts/test.sh tests/cli/golden/lineage

docs/lineage.md shows some of them, to be changed by hand.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from shutil import rmtree

import pytest

from tests.builders import TRAINER, History, Output, keep_models, write_saved_model
from tests.cli.conftest import Call
from tests.cli.golden.stories import set_times
from tests.cli.golden.test_golden import REWRITE
from tfx_janitor.deletion.gc import collect
from tfx_janitor.retention.timestamps import from_iso

HERE = Path(__file__).parent
DOCUMENTATION = HERE.parents[3] / "docs" / "lineage.md"

QUESTIONS = {
    "a-file-in-a-served-version.txt": ("{served}/variables/variables.index", "--upstream"),
    "a-file-in-a-served-version.json": ("{served}/variables/variables.index", "--upstream"),
    "an-imported-version.txt": ("{imported}", "--upstream", "--depth", "4"),
    "the-first-data.txt": ("1", "--downstream", "--depth", "4"),
    "the-model-that-was-deleted.txt": ("2", "--depth", "2"),
    "what-a-model-was-made-from.dot": ("8", "--upstream", "--depth", "2"),
    "a-serving-directory.txt": ("--served", "{serving}"),
    "a-serving-directory.json": ("--served", "{serving}"),
}


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Iterator[History]:
    home = tmp_path_factory.mktemp("lineage")
    history = History(home)
    pipeline = history.pipeline()
    first = pipeline.retrain()
    set_times(history)
    run = pipeline.run()
    run.ingest(span=1)
    model = run.train(warm_start=first.model).model
    run.evaluate(model=model, baseline=first.model)
    pushed = run.push()
    trained = history.store.get_executions_by_type(TRAINER)[-1]
    trained.custom_properties["train_args"].string_value = '{\n  "num_steps": 200\n}'
    trained.custom_properties["custom_config"].string_value = "null"
    trained.custom_properties["run_fn"].string_value = "digits.trainer.run_fn"
    history.store.put_executions([trained])
    imported = Output("Model", uri=str(first.push.destination), external=True)
    history.pipeline("other").run().execute("x.Importer", outputs={"result": imported})
    write_saved_model(pushed.destination.parent / "1700000009")
    rmtree(first.push.destination)
    set_times(history)
    collect(
        history.site(now_ms=from_iso("2026-04-01"), actor="cron@batch"),
        history.policy(rules=[keep_models(ids=[model.id])]),
    )
    set_times(history)
    yield history


@pytest.mark.parametrize("golden", QUESTIONS)
def test_what_is_printed(call: Call, history: History, golden: str):
    serving = history.serving / "inception"
    places = {
        "serving": serving,
        "imported": serving / "1700000001",
        "served": serving / "1700000002",
    }
    arguments = [argument.format(**places) for argument in QUESTIONS[golden]]
    format = {".txt": "table", ".json": "json", ".dot": "dot"}[Path(golden).suffix]
    answer = call("--metadata", history.url, "lineage", *arguments, "--format", format)
    assert answer.code == 0, answer.err
    printed = answer.out.replace(str(history.home), "/srv")
    file = HERE / golden
    if REWRITE in os.environ:
        file.write_text(printed, encoding="utf-8")
    assert printed == file.read_text(encoding="utf-8")


def test_the_documentation_shows_golden_files():
    shown = re.findall(
        r"```\n\$ tfx-janitor lineage .*\n((?:.*\n)*?)```", DOCUMENTATION.read_text(encoding="utf-8")
    )
    golden = [(HERE / name).read_text(encoding="utf-8") for name in QUESTIONS]
    assert len(shown) == 4
    assert [output for output in shown if output not in golden] == []


def test_no_golden_file_is_left_over():
    assert {path.name for path in HERE.iterdir() if path.suffix in (".txt", ".json", ".dot")} == set(
        QUESTIONS
    )
