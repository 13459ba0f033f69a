"""A rollout as JSON Lines: one event a line, printed as it happens. docs/reference/json.md lists the events."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from mvpc.cli.console import plain
from mvpc.model import (
    ComponentResult,
    GateJudged,
    ResultsStored,
    RingAsked,
    RingBegun,
    RingVerified,
    RolloutBegun,
    RolloutEnded,
    RolloutEvent,
)


class JsonLines:
    """Prints every event as one line."""

    def observe(self, event: RolloutEvent) -> None:
        """Print it."""
        for kind, data in _lines(event):
            _print(kind, event.at, data)
        sys.stdout.flush()


def print_end(at: datetime, data: dict[str, Any]) -> None:
    """Print the last line, which holds all that the events told of."""
    _print("end", at, data)
    sys.stdout.flush()


def _print(kind: str, at: datetime, data: dict[str, Any]) -> None:
    line = json.dumps({"event": kind, "at": at, **data}, ensure_ascii=True, default=plain)
    sys.stdout.write(f"{line}\n")


def _lines(event: RolloutEvent) -> Iterator[tuple[str, dict[str, Any]]]:
    match event:
        case RolloutBegun():
            yield "begin", _begin(event)
        case RingBegun():
            work = {device: list(components) for device, components in event.work.items()}
            yield "ring", {"ring": event.ring, "work": work}
        case ResultsStored():
            for result in event.results:
                yield "result", _result(result)
        case RingAsked():
            yield "ask", {"ring": event.ring, "devices": event.devices}
        case RingVerified():
            yield "verified", {"ring": event.ring, "devices": list(event.devices)}
        case GateJudged():
            yield "gate", {"ring": event.ring, "open": event.is_open, "reason": event.reason}
        case RolloutEnded():
            yield "rest", {"rollout": event.number, "state": event.state, "reason": event.reason}


def _begin(event: RolloutBegun) -> dict[str, Any]:
    plan = event.plan
    return {
        "rollout": event.number,
        "plan": plan.hash,
        "scope": plan.scope,
        "devices": len(plan.devices),
        "rings": [{"name": ring.name, "devices": len(ring.devices)} for ring in plan.rings],
        "first_ring": event.first_ring,
    }


def _result(result: ComponentResult) -> dict[str, Any]:
    return {
        "at": result.at,
        "device": result.device,
        "component": result.component,
        "outcome": result.outcome,
        "changes": list(result.changes),
        "error": result.error,
    }
