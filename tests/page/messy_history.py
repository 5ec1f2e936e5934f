"""Three pipelines that ran on many days, one of them with a name that somebody chose to break a page.

Things are wrong: data are gone, a model was damaged, a trainer died. And the janitor was here before.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

from tests.builders import History, keep_models, prune_checkpoints
from tfx_janitor.deletion.gc import collect
from tfx_janitor.deletion.pins import pin

HOSTILE = "</script><script>alert(1)</script>"

_DAY_MS = 86_400_000
_TIMES = (
    ("Artifact", "create_time_since_epoch"),
    ("Artifact", "last_update_time_since_epoch"),
    ("Execution", "create_time_since_epoch"),
    ("Execution", "last_update_time_since_epoch"),
    ("Event", "milliseconds_since_epoch"),
)


def messy_history(home: Path, days: int = 12) -> History:
    """A store of that many days, and everything around it."""
    history = History(home)
    first, hostile, third = map(history.pipeline, ("inception", HOSTILE, "ranking"))
    runs = []
    for day in range(days):
        runs.append(first.retrain(steps=(100, 200, 300), blessed=day % 3 != 1))
        if day % 3 == 0:
            hostile.retrain(steps=(100, 200 + day))
        if day % 2 == 0:
            third.retrain(pushed=False)
        a_day_passes(history)
    shutil.rmtree(runs[1].examples.path)
    shutil.rmtree(runs[-1].model.path / "Format-Serving" / "variables")
    hostile.run().start_training(steps=(100,))
    pin(history.site(actor="anna@ops"), runs[0].model.id, "audit 2026 <b>keep</b>")
    collect(history.site(actor="anna@ops"), history.policy(rules=[keep_models(last=9, pushed=1)]))
    return history


def policy_of(history: History) -> Path:
    """A policy for it, as a file."""
    rules = [
        keep_models(last=3, pushed=2),
        {"name": "data", "match": {"type": "Examples"}, "keep": {"last": 2, "ancestors_of": ["pushed"]}},
        prune_checkpoints(last=1),
    ]
    return history.policy_file(rules=rules, serving=[str(history.serving / "inception")])


def a_day_passes(history: History) -> None:
    """Everything that the store knows becomes a day older; another process writes it, as in `backdate`."""
    statements = [f"UPDATE {table} SET {column} = {column} - {_DAY_MS}" for table, column in _TIMES]
    script = (
        "import json, sqlite3, sys; database = sqlite3.connect(sys.argv[1], timeout=60);"
        " [database.execute(statement) for statement in json.loads(sys.argv[2])]; database.commit()"
    )
    command = [sys.executable, "-S", "-c", script, str(history.database), json.dumps(statements)]
    subprocess.run(command, check=True)
