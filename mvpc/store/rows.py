"""Between rows of the database and the values of `mvpc.model`. Times are ISO 8601 text in UTC, maps are JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, date, datetime
from typing import Any

from mvpc.model import (
    Arrival,
    Certificate,
    CertificateKind,
    ComponentResult,
    ComponentState,
    Deferred,
    Device,
    DeviceEvent,
    DeviceSeen,
    LifeCycle,
    Outcome,
    Plan,
    Probe,
    Reach,
    RolloutRow,
    RolloutState,
    Scalar,
    Schedule,
    Token,
    Workplace,
)
from mvpc.planfile import from_data as plan_from_data
from mvpc.planfile import to_data as plan_data
from mvpc.schedule import from_data
from mvpc.schedule import to_data as schedule_data
from mvpc.store.process import DEAD, is_alive

Row = Mapping[str, Any]

DEVICE_FIELDS = tuple(field.name for field in fields(Device))


def moment(at: datetime) -> str:
    """A time as stored: UTC, milliseconds, so that text order is time order."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds")


def packed(data: object) -> str:
    """Plain data as JSON, always the same text for the same data."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)


# --- devices ---------------------------------------------------------------------------------


def device_row(device: Device) -> dict[str, Any]:
    """A device as a row; dates become text."""
    row = {name: getattr(device, name) for name in DEVICE_FIELDS}
    return {name: _plain(value) for name, value in row.items()}


def device(row: Row) -> Device:
    """A row as a device."""
    values = {name: row[name] for name in DEVICE_FIELDS}
    values["workplace"] = Workplace(row["workplace"])
    values["state"] = LifeCycle(row["state"])
    values["delivered"] = _day(row["delivered"])
    values["warranty_until"] = _day(row["warranty_until"])
    return Device(**values)


def event(row: Row) -> DeviceEvent:
    """A row as an entry of a device's history."""
    return DeviceEvent(
        device=row["hostname"],
        at=datetime.fromisoformat(row["at"]),
        actor=row["actor"],
        action=row["action"],
        changes={name: (before, after) for name, (before, after) in json.loads(row["changes"]).items()},
    )


def _plain(value: object) -> object:
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, str) else value  # StrEnum -> plain text


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


# --- identity --------------------------------------------------------------------------------


def certificate(row: Row) -> Certificate:
    """A row as a certificate."""
    return Certificate(
        kind=CertificateKind(row["kind"]),
        serial=row["serial"],
        device=row["hostname"] or "",
        name=row["name"],
        not_before=datetime.fromisoformat(row["not_before"]),
        not_after=datetime.fromisoformat(row["not_after"]),
        fingerprint=row["fingerprint"],
        text=row["text"],
        in_tpm=bool(row["in_tpm"]),
        revoked_at=_moment(row["revoked_at"]),
        reason=row["reason"],
    )


def certificate_row(found: Certificate, number: int | None, actor: str) -> dict[str, Any]:
    """A certificate as a row; `number` is that of its device."""
    return {
        "kind": str(found.kind),
        "serial": found.serial,
        "device": number,
        "name": found.name,
        "not_before": moment(found.not_before),
        "not_after": moment(found.not_after),
        "fingerprint": found.fingerprint,
        "text": found.text,
        "in_tpm": found.in_tpm,
        "actor": actor,
        "reason": found.reason,
    }


def token(row: Row) -> Token:
    """A row as what is kept of a token."""
    return Token(
        id=row["id"],
        device=row["hostname"],
        hash=row["hash"],
        serial=row["serial"],
        ressort=row["ressort"],
        expires=datetime.fromisoformat(row["expires"]),
        used_at=_moment(row["used_at"]),
    )


_BROUGHT = ("request", "serial", "generation", "host_key", "address", "no_tpm")


def arrival(row: Row) -> Arrival:
    """A row as what a new laptop brought to the desk."""
    texts = {name: row[name] for name in _BROUGHT}
    return Arrival(device=row["hostname"], at=datetime.fromisoformat(row["at"]), **texts)


def arrival_row(found: Arrival, number: int) -> dict[str, Any]:
    """The same as a row; `number` is that of its device."""
    texts = {name: getattr(found, name) for name in _BROUGHT}
    return texts | {"device": number, "at": moment(found.at)}


# --- results ---------------------------------------------------------------------------------


def result(row: Row) -> ComponentResult:
    """A row as the result of one component."""
    return ComponentResult(
        device=row["hostname"],
        component=row["component"],
        outcome=Outcome(row["outcome"]),
        digest=row["digest"],
        at=datetime.fromisoformat(row["at"]),
        changes=tuple(json.loads(row["changes"])),
        error=row["error"],
    )


def component_state(row: Row, inputs: Mapping[str, Scalar]) -> ComponentState:
    """A row as the last known state of one component."""
    return ComponentState(
        device=row["hostname"],
        component=row["component"],
        outcome=Outcome(row["outcome"]),
        digest=row["digest"],
        inputs=inputs,
        at=datetime.fromisoformat(row["at"]),
        rollout=row["rollout"] or 0,
        error=row["error"],
    )


def deferred(row: Row) -> Deferred:
    """A row as something that waits."""
    return Deferred(
        device=row["hostname"],
        component=row["component"],
        since=datetime.fromisoformat(row["since"]),
        rollout=row["rollout"],
        digest=row["digest"],
        state=_state(row)[0],
        rested=_moment(row["ended"]),
        schedule=schedule(row["schedule"]),
    )


def seen(row: Row) -> DeviceSeen:
    """A row as what is known of one laptop."""
    return DeviceSeen(
        device=row["hostname"],
        at=datetime.fromisoformat(row["at"]),
        reach=Reach(row["reach"]),
        detail=row["detail"],
        last_seen=_moment(row["last_seen"]),
        generation=row["generation"],
        digests=json.loads(row["digests"]),
        drift={name: tuple(words) for name, words in json.loads(row["drift"]).items()},
        facts=json.loads(row["facts"]),
    )


def probe_row(number: int, probe: Probe) -> dict[str, Any]:
    """A probe as a row."""
    return {
        "device": number,
        "at": moment(probe.at),
        "reach": str(probe.reach),
        "detail": probe.detail,
        "last_seen": moment(probe.at) if probe.reach is Reach.REACHED else None,
        "generation": probe.generation,
        "digests": packed(dict(probe.digests)),
        "drift": packed({name: list(words) for name, words in probe.drift.items()}),
        "facts": packed(dict(probe.facts)),
    }


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


# --- rollouts --------------------------------------------------------------------------------


def rollout(row: Row) -> RolloutRow:
    """A row as one rollout in short."""
    return RolloutRow(
        id=row["id"],
        started=datetime.fromisoformat(row["started"]),
        ended=_moment(row["ended"]),
        **_rest(row),
        schedule=schedule(row["schedule"]),
        actor=row["actor"],
        scope=row["scope"],
        plan_hash=row["plan_hash"],
        counts=json.loads(row["counts"]),
    )


def _rest(row: Row) -> dict[str, Any]:
    state, reason = _state(row)
    return {"state": state, "reason": reason, "ring": row["ring"]}


def _state(row: Row) -> tuple[RolloutState, str]:
    """State and reason; a rollout without signs of life was interrupted, whatever it last said of itself."""
    state = RolloutState(row["state"])
    if state is RolloutState.RUNNING and not is_alive(row["process"], row["beat"]):
        return RolloutState.INTERRUPTED, DEAD
    return state, row["reason"]


def schedule(text: str) -> Schedule:
    """A schedule from its JSON."""
    return from_data(json.loads(text))


def schedule_text(schedule: Schedule) -> str:
    """A schedule as JSON."""
    return packed(schedule_data(schedule))


def plan_text(plan: Plan) -> str:
    """A plan as JSON."""
    return packed(plan_data(plan))


def plan(text: str) -> Plan:
    """A plan from its JSON."""
    return plan_from_data(json.loads(text))
