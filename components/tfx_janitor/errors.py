"""Errors that are meant for people: each says what was expected, what came, and what to do."""

from __future__ import annotations


class JanitorError(Exception):
    """Bad input or a store that cannot be used; nothing was done.

    The command line prints the message without a traceback and exits with `exit_code`.
    """

    exit_code = 2


class Stopped(JanitorError):
    """It ended before all was done: somebody wanted that, or the store was lost.

    What was done stands, and the next run goes on.
    """

    exit_code = 1


class Refused(JanitorError):
    """A limit of the policy forbids the act; nothing was done until somebody approves it by id."""

    exit_code = 3
