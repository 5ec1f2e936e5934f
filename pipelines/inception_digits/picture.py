"""Exports what the demo prints at its end as a picture: `python -m pipelines.inception_digits.picture`."""

from __future__ import annotations

import argparse
import io
import re
from pathlib import Path

from rich.console import Console

from pipelines.inception_digits.run import PIPELINES
from pipelines.inception_digits.workspace import open_workspace

_WIDTH = 110


def main() -> None:
    """Prints the last retraining and the summary of a finished demo anew, and saves them as SVG."""
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.inception_digits.picture", description=main.__doc__
    )
    parser.add_argument("--workdir", type=Path, default=Path("build/demo"), help="of the demo (build/demo)")
    parser.add_argument("--out", type=Path, default=Path("docs/demo.svg"), help="the picture (docs/demo.svg)")
    options = parser.parse_args()

    from pipelines.inception_digits import summary

    console = Console(record=True, width=_WIDTH, file=io.StringIO(), force_terminal=True)
    workspace = open_workspace(options.workdir, PIPELINES["compact"], fresh=False)
    summary.show_newest_retraining(console, workspace)
    summary.show_everything(console, workspace)
    # A fixed id keeps the file the same while what it shows is the same; without its font faces the picture
    # asks no server for anything, and shows whatever monospace font the reader has.
    picture = console.export_svg(title="make demo", unique_id="demo")
    options.out.write_text(re.sub(r"@font-face \{.*?\}", "", picture, flags=re.DOTALL), encoding="utf-8")


if __name__ == "__main__":
    main()
