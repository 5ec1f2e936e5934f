"""What holds for all tests."""

from __future__ import annotations

from hypothesis import Phase, settings

# A busy machine is no failure; what takes too long for good is ended by pytest-timeout.
settings.register_profile("patient", deadline=None)
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
