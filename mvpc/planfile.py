"""Plans as plain data: in a file that people review and approve, and in the database."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from mvpc.errors import InputError
from mvpc.model import Action, Change, Edit, Gate, Plan, PlannedRing, Skip, Skipped

FORMAT = 1


def to_data(plan: Plan) -> dict[str, Any]:
    """The plan as JSON-able data with stable keys.

    What many changes have in common, their edits, is written once, under `edits`; a change names it by its key there.
    """
    shared: dict[tuple[Edit, ...], str] = {}
    data = {field.name: getattr(plan, field.name) for field in fields(plan)}
    data["changes"] = [change_data(change, shared) for change in plan.changes]
    data["skipped"] = [_fields(skipped) for skipped in plan.skipped]
    data["rings"] = [asdict(ring) for ring in plan.rings]
    data["edits"] = {key: [asdict(edit) for edit in edits] for edits, key in shared.items()}
    return {"format": FORMAT, **data}


def change_data(change: Change, shared: dict[tuple[Edit, ...], str]) -> dict[str, Any]:
    """One change as data. Its edits are collected in `shared`, under a key that depends on nothing but them."""
    if change.edits and change.edits not in shared:
        shared[change.edits] = _key(change.edits)
    return {**_fields(change), "edits": shared.get(change.edits, "")}


def _key(edits: Iterable[Edit]) -> str:
    text = json.dumps([asdict(edit) for edit in edits], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _fields(value: Change | Skipped) -> dict[str, Any]:
    """Ten times as fast as asdict(), for a fleet."""
    return {name: getattr(value, name) for name in value.__slots__}


def from_data(data: Any) -> Plan:
    """A plan from its data; raises ValueError or one of its kin when something is missing or wrong."""
    values = dict(data)
    if values.pop("format") != FORMAT:
        raise ValueError("not of this format")
    edits = {key: tuple(Edit(**row) for row in rows) for key, rows in values.pop("edits").items()} | {"": ()}
    values["changes"] = tuple(_change(row, edits) for row in values["changes"])
    values["skipped"] = tuple(Skipped(**{**row, "why": Skip(row["why"])}) for row in values["skipped"])
    values["rings"] = tuple(_ring(row) for row in values["rings"])
    values["sample"] = tuple(values["sample"])
    return Plan(**values)


def made_by(login: str, plan: Plan) -> Plan:
    """The plan as that person's."""
    plan = replace(plan, maker=login)
    return replace(plan, hash=content_hash(plan))


def content_hash(plan: Plan) -> str:
    """The fingerprint that people approve. Who is asleep, and other words for readers alone, do not change it."""
    data = to_data(plan)
    covered = ("changes", "edits", "rings", "sample", "ressorts", "basis", "maker")
    return fingerprint([data[name] for name in covered])


def fingerprint(data: object) -> str:
    """A hash of JSON-able data, always the same for the same data; so long that nobody finds two texts for one hash."""
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:32]


def read_plan(path: Path) -> Plan:
    """The plan in a file; raises InputError, also when somebody has changed it after it was made."""
    plan = _read(path)
    if content_hash(plan) != plan.hash:
        raise InputError("this plan was changed after it was made", where=str(path), hint="Make a new one")
    return plan


def _read(path: Path) -> Plan:
    try:
        return from_data(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise InputError(f"the plan cannot be read ({error.strerror})", where=str(path)) from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError("this is no plan", where=str(path), hint="Make one with: mvpc plan -o FILE") from error


def _change(row: Any, edits: Mapping[str, tuple[Edit, ...]]) -> Change:
    known = {"action": Action(row["action"]), "edits": edits[row["edits"]], "drift": tuple(row["drift"])}
    return Change(**{**row, **known})


def _ring(data: Any) -> PlannedRing:
    return PlannedRing(name=data["name"], gate=Gate(**data["gate"]), devices=tuple(data["devices"]))
