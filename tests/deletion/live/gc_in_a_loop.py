"""A process in which the command `tfx-janitor gc` runs again and again, until its standard input closes.

    python -m tests.deletion.live.gc_in_a_loop --metadata URL gc --policy FILE

Each time it opens the store anew and reads the clock anew, as a cron job does; but for the start of a process
the loop never rests. Standard output gets one line of JSON for each time: `exit`, and what `gc` printed.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import threading
from collections.abc import Sequence

from tfx_janitor.cli import main


def collect(arguments: Sequence[str]) -> dict[str, object]:
    """Runs the command line once."""
    shown = io.StringIO()
    code: object = None
    with contextlib.redirect_stdout(shown):
        try:
            main([*arguments, "--format", "json"])
        except SystemExit as ended:
            code = ended.code or 0
    return {"exit": code, **json.loads(shown.getvalue() or "{}")}


def loop(arguments: Sequence[str]) -> None:
    """Runs it until standard input closes, and once more."""
    over = threading.Event()

    def wait() -> None:
        sys.stdin.read()
        over.set()

    threading.Thread(target=wait, daemon=True).start()
    last = False
    while not last:
        last = over.is_set()
        print(json.dumps(collect(arguments)), flush=True)


if __name__ == "__main__":
    loop(sys.argv[1:])
