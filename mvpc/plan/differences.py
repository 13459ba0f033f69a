"""What differs on a laptop from what it should be, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from mvpc.edits import edits
from mvpc.model import Action, Component, Edit
from mvpc.plan.subject import Subject


@dataclass(frozen=True, slots=True)
class Difference:
    """What is to be done with a component, and why."""

    action: Action
    reason: str
    edits: tuple[Edit, ...] = ()
    """Settings that differ."""
    drift: tuple[str, ...] = ()
    """What the laptop says that differs."""


def difference(subject: Subject, component: Component, now: datetime | None) -> Difference | None:
    """Why a component needs work on a laptop, or None.

    Args:
        subject: the laptop: what it says of itself counts, or else what we recorded.
        component: what it should be.
        now: the moment at which roles of the site are too old or not; None: they do not age.
    """
    found = _from_probe(subject, component) if subject.answered else _from_records(subject, component)
    return found or (_aged(subject, component, now) if now else None)


def _from_probe(subject: Subject, component: Component) -> Difference | None:
    assert subject.probe is not None  # noqa: S101 - it has answered
    on_device = subject.probe.digests.get(component.name)
    if on_device is None:
        return Difference(Action.CREATE, "never applied")
    if on_device == "":
        return Difference(Action.REPAIR, "the last attempt did not finish")
    if on_device != component.digest:
        return _update(subject, component)
    drift = subject.probe.drift.get(component.name)
    return Difference(Action.REPAIR, f"drift: {_and_more(drift)}", drift=drift) if drift else None


def _from_records(subject: Subject, component: Component) -> Difference | None:
    state = subject.recorded.get(component.name)
    if state is None or not state.digest:
        return Difference(Action.CREATE, "never applied")
    if state.outcome.is_bad:
        return Difference(Action.REPAIR, "the last attempt failed")
    if state.digest != component.digest:
        return _update(subject, component)
    drift = subject.drift.get(component.name)
    reason = f"drift when it was last asked: {_and_more(drift)}" if drift else ""
    return Difference(Action.REPAIR, reason, drift=drift) if drift else None


def _aged(subject: Subject, component: Component, now: datetime) -> Difference | None:
    """A role that is to be run again, since no probe sees what has become of its work."""
    state, days = subject.recorded.get(component.name), component.role.max_age_days if component.role else 0
    if state is None or not days or now - state.at < timedelta(days=days):
        return None
    return Difference(Action.FULL, f"last run {(now - state.at).days} days ago")


def _update(subject: Subject, component: Component) -> Difference:
    if component.role and component.role.taken_off:
        path, reason = f"local.{component.role.role}.state", f"role {component.role.role} is taken off"
        line = str(subject.sources.get(path, ""))
        return Difference(Action.UPDATE, reason, edits=(Edit(path=path, new="absent", source=line, words=reason),))
    state = subject.recorded.get(component.name)
    if state is None:
        return Difference(Action.UPDATE, "it is not what it should be; our records do not know how it was made")
    found = edits(state.inputs, component.inputs, subject.sources)
    if not found:
        return Difference(Action.UPDATE, "a secret, template or catalogue entry changed")
    return Difference(Action.UPDATE, _and_more(found), edits=found)


def _and_more(items: Sequence[object]) -> str:
    """The first one in words, and how many there are beside it."""
    return f"{items[0]} (+{len(items) - 1} more)" if len(items) > 1 else str(items[0])
