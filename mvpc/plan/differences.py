"""What differs on a laptop from what it should be, and why, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from mvpc.localroles import role_of
from mvpc.model import Action, Component, Scalar, Source
from mvpc.plan.subject import Subject

Difference = tuple[Action, str, Source | None]
"""What is to be done, why, and the line that is the cause, where one is."""


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
        return Action.CREATE, "never applied", None
    if on_device == "":
        return Action.REPAIR, "the last attempt did not finish", None
    if on_device != component.digest:
        return _update(subject, component)
    if drift := subject.probe.drift.get(component.name):
        more = f" (+{len(drift) - 1} more)" if len(drift) > 1 else ""
        return Action.REPAIR, f"drift: {drift[0]}{more}", None
    return None


def _from_records(subject: Subject, component: Component) -> Difference | None:
    state = subject.recorded.get(component.name)
    if state is None or not state.digest:
        return Action.CREATE, "never applied", None
    if state.outcome.is_bad:
        return Action.REPAIR, "the last attempt failed", None
    if state.digest != component.digest:
        return _update(subject, component)
    drift = subject.drift.get(component.name)
    return (Action.REPAIR, f"drift when it was last asked: {drift[0]}", None) if drift else None


def _aged(subject: Subject, component: Component, now: datetime) -> Difference | None:
    """A role that is to be run again, since no probe sees what has become of its work."""
    state, days = subject.recorded.get(component.name), component.role.max_age_days if component.role else 0
    if state is None or not days or now - state.at < timedelta(days=days):
        return None
    return Action.FULL, f"last run {(now - state.at).days} days ago", None


def _update(subject: Subject, component: Component) -> Difference:
    state = subject.recorded.get(component.name)
    if component.role and component.role.taken_off:
        role = component.role.role
        return Action.UPDATE, f"role {role} is taken off", subject.sources.get(f"local.{role}.state")
    edits = [] if state is None else list(_edits(state.inputs, component.inputs))
    if not edits:
        return Action.UPDATE, "a secret, template or catalogue entry changed", None
    path, words = edits[0]
    more = f" (+{len(edits) - 1} more)" if len(edits) > 1 else ""
    return Action.UPDATE, words + more, subject.sources.get(path)


def _edits(old: Mapping[str, Scalar], new: Mapping[str, Scalar]) -> Iterator[tuple[str, str]]:
    """Changed settings in words, removals first since they are what people most need to see."""
    for path in old:
        if path not in new:
            yield path, _of_role(path, "lacks") or f"- {path}"
    for path, value in new.items():
        if path not in old:
            yield path, _of_role(path, "new") or f"+ {path} = {value}"
        elif old[path] != value:
            yield path, _of_role(path, "changed") or f"{path}: {old[path]} -> {value}"


def _of_role(path: str, how: str) -> str:
    """A changed file of a role in words; empty for settings."""
    found = role_of(path)
    return f"role {found[0]} {how}: {found[1]}" if found else ""
