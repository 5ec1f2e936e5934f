"""Whether the judgement that a policy asks for can be had here: to load payloads takes TensorFlow.

Without it no Model that must survive would count as whole. A plan, which looks at structure alone, would
mark, and a purge take all of it back, each time.
"""

from __future__ import annotations

from tfx_janitor.payload import loading
from tfx_janitor.policy.schema import RetentionPolicy

UNJUDGED = (
    "the policy of act {} has payloads loaded, which takes tensorflow, and it is not installed here: purge "
    "where it is"
)
"""Why what an act marked stays as it is, if another policy is in force."""


def can_judge(policy: RetentionPolicy) -> bool:
    """Whether payloads can be verified here at the level of a policy."""
    return not policy.verify.loads or loading.is_installed()


def check(policy: RetentionPolicy) -> None:
    """Lets a policy pass whose level of verifying can be had here.

    Raises:
      NotInstalled: it cannot.
    """
    if not can_judge(policy):
        raise loading.NotInstalled(
            f"the policy says `verify: {policy.verify}`, and loading a payload takes tensorflow, which is "
            'not installed here; pip install "tfx-janitor[tfx]" brings it, and `verify: checksums` does '
            "without"
        )
