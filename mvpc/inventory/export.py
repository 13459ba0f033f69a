"""Devices as a spreadsheet or as plain data. What is exported can be imported again and changes nothing."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from typing import Any

from mvpc.inventory.cells import in_german
from mvpc.inventory.columns import TITLES
from mvpc.inventory.difference import as_text
from mvpc.model import Device
from mvpc.text import safe

_FORMULA = re.compile(r"['\s]*[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]")
"""What a spreadsheet takes as a formula, after blanks and in full width too (OWASP, CSV injection), or guarded text."""


def to_csv(devices: Iterable[Device], *, bom: bool = False) -> str:
    """Semicolons, German names and words, CRLF as in RFC 4180; with `bom`, Excel recognises UTF-8.

    A cell that would be a formula gets a leading apostrophe, which an import takes off again.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=";", lineterminator="\r\n")
    writer.writerow(TITLES.values())
    writer.writerows(map(_cells, devices))
    return ("\ufeff" if bom else "") + text.getvalue()


def _cells(device: Device) -> list[str]:
    values = [getattr(device, name) for name in TITLES]
    return [guarded(in_german(value) or as_text(value)) for value in values]


def guarded(text: str) -> str:
    """A cell that no spreadsheet takes as a formula and no terminal as a command."""
    plain = safe(text, limit=len(text))
    return f"'{plain}" if _FORMULA.match(text) else plain


def to_plain(device: Device) -> dict[str, Any]:
    """A device as plain data for JSON: text as it is, no empty dates."""
    return {"number": device.number} | {name: as_text(getattr(device, name)) for name in TITLES}
