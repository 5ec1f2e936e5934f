"""The command line: parse, call, print. Heavy imports happen inside the commands that need them."""

from tfx_janitor.cli.application import main

__all__ = ["main"]
