"""Plans as plain data: in a file that people review and approve, and in the database."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mvpc.errors import InputError
from mvpc.model import Action, Change, Gate, Plan, PlannedRing, Skip, Skipped

FORMAT = 1


def to_data(plan: Plan) -> dict[str, Any]:
    """The plan as JSON-able data with stable keys."""
    return {"format": FORMAT, **asdict(plan)}


def from_data(data: Any) -> Plan:
    """A plan from its data; raises ValueError or one of its kin when something is missing or wrong."""
    values = dict(data)
    if values.pop("format") != FORMAT:
        raise ValueError("not of this format")
    values["changes"] = tuple(Change(**{**row, "action": Action(row["action"])}) for row in values["changes"])
    values["skipped"] = tuple(Skipped(**{**row, "why": Skip(row["why"])}) for row in values["skipped"])
    values["rings"] = tuple(_ring(row) for row in values["rings"])
    values["sample"] = tuple(values["sample"])
    return Plan(**values)


def read_plan(path: Path) -> Plan:
    """The plan in a file; raises InputError."""
    try:
        return from_data(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise InputError(f"the plan cannot be read ({error.strerror})", where=str(path)) from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError("this is no plan", where=str(path), hint="Make one with: mvpc plan -o FILE") from error


def _ring(data: Any) -> PlannedRing:
    return PlannedRing(name=data["name"], gate=Gate(**data["gate"]), devices=tuple(data["devices"]))
