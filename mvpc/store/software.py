"""What laptops last said about their software. Only the standard library and rows, as `store.read` needs it."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from mvpc.model import Probe, Reach, SoftwareSeen
from mvpc.store.rows import Row, moment, packed


def software_row(number: int, probe: Probe) -> dict[str, Any]:
    """An answer about software as a row."""
    answer = probe.software
    return {
        "device": number,
        "asked": moment(probe.at),
        "reach": str(probe.reach),
        "detail": probe.detail,
        "answered": moment(probe.at) if answer else None,
        "packages": packed({each.name: each.version for each in answer.packages} if answer else {}),
        "checks": packed(dict(answer.checks) if answer else {}),
    }


def software_seen(row: Row) -> SoftwareSeen:
    """A row as what is known of one laptop's software."""
    return SoftwareSeen(
        device=row["hostname"],
        asked=datetime.fromisoformat(row["asked"]),
        reach=Reach(row["reach"]),
        detail=row["detail"],
        answered=datetime.fromisoformat(row["answered"]) if row["answered"] else None,
        packages=json.loads(row["packages"]),
        checks=json.loads(row["checks"]),
    )
