"""What holds for all tests."""

from __future__ import annotations

import os

from hypothesis import Phase, settings

# A busy machine is no failure; what takes too long for good is ended by pytest-timeout. Where changes are
# judged the examples are always the same, so that a red run is about the change; elsewhere they are fresh.
settings.register_profile("patient", deadline=None, derandomize="CI" in os.environ)
# Many short looks at code that is broken on purpose: always the same examples, none of them made smaller.
settings.register_profile(
    "mutation",
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=40,
    phases=(Phase.explicit, Phase.generate),
)
settings.load_profile("patient")
