"""Where the janitor works, for whom, and when: what every act is given instead of asking the world."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tfx_janitor.deletion.account import Account
from tfx_janitor.errors import Stopped
from tfx_janitor.lineage import read_api
from tfx_janitor.lineage.snapshot import Snapshot
from tfx_janitor.policy.schema import RetentionPolicy
from tfx_janitor.retention.case import Case
from tfx_janitor.survey.crew import STOPPED, Crew, Scouts

if TYPE_CHECKING:
    from ml_metadata import MetadataStore


@dataclass(frozen=True)
class Site:
    """One store, one actor, one moment.

    Attributes:
      store: an open MLMD store; acts need one that was opened for writing.
      metadata: its URL, without password.
      actor: who acts, as the history will show it, such as "anna@host" or a pipeline's name.
      now_ms: the moment that everything is judged at.
      crew: who works on payloads.
      own_execution: MLMD id of the execution that the janitor runs in, if any.
      only_pipeline: restricts every act to artifacts of this pipeline.
      progress: is told what is read, how much of it, and how much there is.
      stopping: tells whether somebody wants it to begin nothing new; None where nobody can.
      account: what was done here so far.
    """

    store: MetadataStore
    metadata: str
    actor: str
    now_ms: int
    crew: Crew
    own_execution: int | None = None
    only_pipeline: str | None = None
    progress: Callable[[str, int, int], None] | None = None
    stopping: Callable[[], bool] | None = None
    account: Account = field(default_factory=Account, compare=False)

    @property
    def stopped(self) -> bool:
        """Whether somebody wants it to begin nothing new."""
        return self.stopping is not None and self.stopping()

    @property
    def scouts(self) -> Crew:
        """Who looks at payloads: the crew, and only until somebody wants to stop."""
        return self.crew if self.stopping is None else Scouts(self.crew, self.stopping)

    def read(self) -> Snapshot:
        """The store as it is now.

        Raises:
          Stopped: somebody wants to stop.
        """
        return read_api.read(self.store, self._reading)

    def concerns(self, snapshot: Snapshot, artifact_id: int) -> bool:
        """Whether an act here may touch an artifact: it is known, and of the pipeline that acts are for."""
        row = snapshot.row(artifact_id)
        return row is not None and self.only_pipeline in (None, snapshot.pipeline_of(row))

    def case(self, snapshot: Snapshot, policy: RetentionPolicy) -> Case:
        """What is to be judged here under a policy."""
        return Case(snapshot, policy, self.now_ms, self.own_execution, self.only_pipeline)

    def _reading(self, task: str, done: int, total: int) -> None:
        if self.stopped:
            raise Stopped(STOPPED)
        if self.progress is not None:
            self.progress(task, done, total)
