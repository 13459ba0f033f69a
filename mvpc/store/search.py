"""Which devices are meant, as conditions of SQL. All values are bound, never written into the text."""

from __future__ import annotations

import json
from collections.abc import Iterator

from mvpc.model import Filter

_SEARCHED = (
    *("hostname", "inventory_number", "serial", "vendor", "model"),
    *("authority", "site", "room", "address"),
)
"""Columns that free text is looked for in."""


def conditions(wanted: Filter) -> Iterator[tuple[str, dict[str, object]]]:
    """Conditions that must all hold, each with its values."""
    if wanted.authorities is not None:
        yield "authority IN (SELECT value FROM json_each(:codes))", {"codes": json.dumps(sorted(wanted.authorities))}
    if wanted.site:
        yield "site = :site", {"site": wanted.site.lower()}
    if wanted.state:
        yield "state = :state", {"state": str(wanted.state)}
    if wanted.os:
        os = encodable(wanted.os).lower()
        yield "os = :os OR os LIKE :family ESCAPE '\\'", {"os": os, "family": escaped(os) + "-%"}
    if wanted.model:
        yield "vendor || ' ' || model LIKE :model ESCAPE '\\'", {"model": f"%{escaped(encodable(wanted.model))}%"}
    if wanted.text:
        any_of = " OR ".join(f"{name} LIKE :words ESCAPE '\\'" for name in _SEARCHED)
        yield any_of, {"words": f"%{escaped(encodable(wanted.text))}%"}


def encodable(text: str) -> str:
    """Text from a command line that may not be UTF-8: what SQLite cannot be asked for becomes `?`."""
    return text.encode("utf-8", errors="replace").decode("utf-8")


def escaped(text: str) -> str:
    """Text for LIKE in which % and _ mean themselves."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
