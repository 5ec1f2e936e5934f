"""Acts altered or taken away with MLMD and SQL, as nobody may, and what is found of it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from ml_metadata.proto import metadata_store_pb2 as mlmd

from tests.builders import History
from tfx_janitor.deletion import acts, seals
from tfx_janitor.deletion.act import Act
from tfx_janitor.deletion.chain import Finding
from tfx_janitor.deletion.history import HistoryVerification


def row_of(history: History, act: Act) -> Any:
    return history.store.get_executions_by_id([act.id])[0]


def rewrite(history: History, act: Act, **properties: str | int | None) -> None:
    """Alters properties of an act with MLMD itself; None takes one away."""
    row = row_of(history, act)
    for name, value in properties.items():
        if value is None:
            del row.custom_properties[name]
        elif isinstance(value, int):
            row.custom_properties[name].int_value = value
        else:
            row.custom_properties[name].string_value = value
    history.store.put_executions([row])


def set_state(history: History, act: Act, state: str) -> None:
    row = row_of(history, act)
    row.last_known_state = mlmd.Execution.State.Value(state)
    history.store.put_executions([row])


def write_sql(history: History, *statements: str) -> None:
    """What MLMD has no call for, in another process, as `History.backdate` does it."""
    script = (
        "import json, sqlite3, sys; database = sqlite3.connect(sys.argv[1], timeout=60);"
        " [database.execute(one) for one in json.loads(sys.argv[2])]; database.commit()"
    )
    command = [sys.executable, "-S", "-c", script, str(history.database), json.dumps(statements)]
    subprocess.run(command, check=True)


def remove_acts(history: History, *removed: Act) -> None:
    listed = ", ".join(str(act.id) for act in removed)
    write_sql(
        history,
        f"DELETE FROM Event WHERE execution_id IN ({listed})",
        f"DELETE FROM ExecutionProperty WHERE execution_id IN ({listed})",
        f"DELETE FROM Execution WHERE id IN ({listed})",
    )


def found(verified: HistoryVerification) -> list[tuple[str, int | None]]:
    return [(finding.kind, finding.act_id) for finding in verified.findings]


def only(verified: HistoryVerification) -> Finding:
    (finding,) = verified.findings
    return finding


def hash_of(act: Act) -> str:
    assert act.seal is not None
    return act.seal.hash


def seal_anew(history: History, act_id: int) -> None:
    """Gives an act the hashes that fit what it says now, as who alters it knowingly would."""
    (act,) = (act for act in acts.read(history.store) if act.id == act_id)
    assert act.seal is not None
    begun = seals.beginning(act, act.seal.previous)
    rewrite(history, act, begun_hash=begun, ended_hash=seals.end(begun, act.outcomes))


def without_hashes(history: History, *without: Act) -> None:
    for act in without:
        rewrite(history, act, previous=None, begun_hash=None, ended_hash=None)
