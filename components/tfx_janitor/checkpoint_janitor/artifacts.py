"""What the janitor leaves behind of itself: its plan and its report, small and readable in MLMD already."""

from __future__ import annotations

from tfx.types.artifact import Artifact, Property, PropertyType

PLAN_FILE = "plan.json"
REPORT_FILE, REPORT_TEXT_FILE = "report.json", "report.txt"
PAGE_FILE, POLICY_FILE = "report.html", "policy.json"


class JanitorPlan(Artifact):
    """All verdicts with all reasons, as `plan.json` in the shape of `tfx-janitor plan --format json`.

    Without properties and file if no plan came about; the report says why.

    Properties:
      plan_id: what `tfx-janitor gc --approve` takes.
      policy_digest: of the policy that decided.
      artifacts, keep, delete, unknown, ungoverned: numbers of artifacts.
      checkpoints_delete: checkpoints to delete inside ModelRuns that are kept.
      bytes_reclaimable: apparent size of what is to be deleted.
    """

    TYPE_NAME = "JanitorPlan"
    PROPERTIES = {  # noqa: RUF012 - TFX declares it so
        "plan_id": Property(type=PropertyType.STRING),
        "policy_digest": Property(type=PropertyType.STRING),
        "artifacts": Property(type=PropertyType.INT),
        "keep": Property(type=PropertyType.INT),
        "delete": Property(type=PropertyType.INT),
        "unknown": Property(type=PropertyType.INT),
        "ungoverned": Property(type=PropertyType.INT),
        "checkpoints_delete": Property(type=PropertyType.INT),
        "bytes_reclaimable": Property(type=PropertyType.INT),
    }


class JanitorReport(Artifact):
    """What became of it, as `report.txt` for people and `report.json` for programs.

    `report.html` is for a browser: the pipeline when the janitor was done. The commands on it name
    `policy.json`, the policy that decided.

    Properties:
      status: "done"; "refused": by rule nothing was marked, because of failures in its run or of a limit;
        "failed": the janitor itself failed.
      reason: why it refused or failed, or what the first artifact failed of; empty if nobody needs to look.
      plan_id: of the plan; missing if none came about.
      marked, purged, finished, corrected, pruned, rescued, skipped, failed: numbers of artifacts that this
        became of.
      bytes_freed: by purging and pruning.
      page_missing: why there is no `report.html`; empty if there is one.
    """

    TYPE_NAME = "JanitorReport"
    PROPERTIES = {  # noqa: RUF012 - TFX declares it so
        "status": Property(type=PropertyType.STRING),
        "reason": Property(type=PropertyType.STRING),
        "plan_id": Property(type=PropertyType.STRING),
        "marked": Property(type=PropertyType.INT),
        "purged": Property(type=PropertyType.INT),
        "finished": Property(type=PropertyType.INT),
        "corrected": Property(type=PropertyType.INT),
        "pruned": Property(type=PropertyType.INT),
        "rescued": Property(type=PropertyType.INT),
        "skipped": Property(type=PropertyType.INT),
        "failed": Property(type=PropertyType.INT),
        "bytes_freed": Property(type=PropertyType.INT),
        "page_missing": Property(type=PropertyType.STRING),
    }
