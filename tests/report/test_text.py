"""Strings from stores and disks can neither style nor steer a terminal."""

from __future__ import annotations

import pytest

from tfx_janitor.report.text import count, minute, printable, second, size, text


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("plain", "plain"),
        ("Modèle 模型", "Modèle 模型"),
        ("a\x1b[31mb", "a\\x1b[31mb"),
        ("two\nlines\ttab\r", "two\\nlines\\ttab\\r"),
        ("right\u202eto left", "right\\u202eto left"),
        ("caf\udce9", "caf\\udce9"),
    ],
)
def test_what_does_not_print_is_escaped(raw: str, shown: str):
    assert printable(raw) == shown


def test_markup_stays_as_it_is_written():
    assert text("[bold]x[/bold] :smile:").plain == "[bold]x[/bold] :smile:"


def test_amounts_and_times():
    assert (size(None), size(626), size(96_400_000)) == ("", "626 bytes", "96.4 MB")
    assert (count(1, "artifact"), count(2500, "artifact")) == ("1 artifact", "2,500 artifacts")
    assert (minute(0), second(61_000)) == ("1970-01-01 00:00", "1970-01-01 00:01:01 UTC")
