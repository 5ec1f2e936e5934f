"""Whether payloads may go back into service: nothing damaged or missing ever becomes LIVE again."""

from __future__ import annotations

from collections.abc import Sequence

from tfx_janitor.deletion.site import Site
from tfx_janitor.lineage.snapshot import Snapshot
from tfx_janitor.payload.verification import Level
from tfx_janitor.retention.case import MODEL
from tfx_janitor.survey import look
from tfx_janitor.survey.crew import Failed


def check_whole(
    site: Site, snapshot: Snapshot, rows: Sequence[int], level: Level = Level.CHECKSUMS
) -> list[str | None]:
    """What is wrong with each payload, None where it is whole.

    A Model's models are verified; of other payloads it is asked that something lies there.
    """
    uris = [snapshot.artifacts.uri[row] for row in rows]
    is_model = [snapshot.type_of(row) == MODEL for row in rows]
    orders = [look.ModelOrder(uri, level) for uri, model in zip(uris, is_model, strict=True) if model]
    others = [uri for uri, model in zip(uris, is_model, strict=True) if not model]
    models = iter(site.scouts.run("verify models", look.verify_model, orders))
    sizes = iter(site.scouts.run("measure", look.measure, others))
    problems: list[str | None] = []
    for model in is_model:
        if model:
            answer = next(models)
            problems.append(
                answer.error if isinstance(answer, Failed) else None if answer.whole else answer.detail
            )
        else:
            size = next(sizes)
            problems.append(size.error if isinstance(size, Failed) else None)
    return problems
