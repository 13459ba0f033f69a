"""What laptops last said about their software. Only the standard library and rows, as `store.read` needs it."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from mvpc.model import Probe, Reach, Reachability, ServiceSeen, SoftwareSeen
from mvpc.store.rows import Row, moment, packed


def software_row(number: int, probe: Probe) -> dict[str, Any]:
    """An answer about software as a row."""
    answer = probe.software
    there = {each.name: each.version for each in answer.packages} if answer else {}
    there |= {each.name: each.state for each in answer.flatpaks} if answer else {}
    return {
        "device": number,
        "asked": moment(probe.at),
        "reach": str(probe.reach),
        "detail": probe.detail,
        "answered": moment(probe.at) if answer else None,
        "packages": packed(there),
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


def service_rows(number: int, probe: Probe) -> list[dict[str, Any]]:
    """An answer about central services as rows."""
    return [
        {
            "device": number,
            "product": each.product,
            "name": each.name,
            "url": each.url,
            "state": str(each.state),
            "detail": each.detail,
            "at": moment(probe.at),
            "since": moment(probe.at),
        }
        for each in probe.services or ()
    ]


def service_seen(row: Row) -> ServiceSeen:
    """A row as what is known of one service on one laptop."""
    return ServiceSeen(
        device=row["hostname"],
        product=row["product"],
        name=row["name"],
        url=row["url"],
        state=Reachability(row["state"]),
        detail=row["detail"],
        at=datetime.fromisoformat(row["at"]),
        since=datetime.fromisoformat(row["since"]),
    )
