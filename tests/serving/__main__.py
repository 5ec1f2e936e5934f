"""The stand-in in its own process; it prints its address and serves until its standard input ends."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.serving.model_server import ModelServer
from tests.serving.models import light_model, tensorflow_model


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.serving", description=__doc__)
    parser.add_argument("base", type=Path, help="directory to watch")
    parser.add_argument("--model", default="model", help="what to call the model")
    parser.add_argument("--latest", default="1", help="how many of the newest versions to serve, or `all`")
    parser.add_argument("--port", type=int, default=0, help="to listen at; any that is free, if not given")
    parser.add_argument("--poll", type=float, default=1.0, metavar="SECONDS", help="time between two looks")
    parser.add_argument("--tensorflow", action="store_true", help="load with TensorFlow")
    given = parser.parse_args()
    server = ModelServer(
        given.base,
        given.model,
        latest=None if given.latest == "all" else int(given.latest),
        load=tensorflow_model if given.tensorflow else light_model,
        poll_seconds=given.poll,
        port=given.port,
    )
    with server:
        print(server.address, flush=True)
        sys.stdin.read()


main()
