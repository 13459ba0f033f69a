"""Make plans, and tell what waits for sleeping laptops and what laptops have proved."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from mvpc.model import (
    ROLLED_OUT_STATES,
    Action,
    Change,
    ComponentResult,
    Device,
    Edit,
    Outcome,
    Plan,
    Reach,
    Ring,
    Skip,
    Skipped,
)
from mvpc.plan.differences import difference
from mvpc.plan.subject import Subject
from mvpc.planfile import change_data, content_hash, fingerprint
from mvpc.rings import DEFAULT_RINGS, Member, join_last, place
from mvpc.sample import draw


@dataclass(frozen=True, kw_only=True, slots=True)
class Thoroughness:
    """How much a plan does beyond what is known to differ."""

    full: bool = False
    """Every component of every laptop is walked in full, whatever ledgers and digests say."""
    sample_percent: float = 0
    """Share of the unchanged laptops that is walked in full, and must turn out to be unchanged."""
    now: datetime | None = None
    """The moment at which roles of the site are too old or not; None: they do not age."""


def make_plan(
    scope: str,
    subjects: Sequence[Subject],
    rings: Sequence[Ring] = DEFAULT_RINGS,
    thoroughness: Thoroughness = Thoroughness(),
) -> Plan:
    """Compare what every laptop should be with what it says, or else with what we recorded.

    Args:
        scope: the selection in words, for people.
        subjects: laptops in the order in which the plan shall list them.
        rings: the groups in which the laptops that change are rolled out to.
        thoroughness: what is done beyond that.
    """
    changes, skipped = _work(subjects, thoroughness)
    shared: dict[tuple[Edit, ...], str] = {}
    work = fingerprint([change_data(change, shared) for change in changes])
    placement = place(_members(subjects, changes), rings, salt=work[:6])
    sample, salt = _sample(subjects, skipped, work, thoroughness.sample_percent)
    placement = join_last(placement, sample, rings[-1], why=f"in the sample of unchanged laptops with salt {salt}")
    sampled = frozenset(sample)
    changes += [change for subject in subjects if subject.device.hostname in sampled for change in _sampled(subject)]
    plan = Plan(
        scope=scope,
        changes=tuple(changes),
        skipped=tuple(each for each in skipped if each.device not in sampled),
        ressorts={subject.device.hostname: subject.ressort for subject in subjects},
        authorities={subject.device.hostname: subject.device.authority for subject in subjects},
        rings=placement.rings,
        places=placement.why,
        sample=sample,
        basis=basis(subjects),
        hash="",
    )
    return replace(plan, hash=content_hash(plan))


def _work(subjects: Iterable[Subject], thoroughness: Thoroughness) -> tuple[list[Change], list[Skipped]]:
    """What is to be done on laptops, and why there is nothing to do on others."""
    changes: list[Change] = []
    skipped: list[Skipped] = []
    for subject in subjects:
        known = tuple(_changes(subject, thoroughness.now))
        wanted = tuple(_everything(subject, known)) if thoroughness.full else known
        reason = _skip(subject, wanted)
        if reason is None:
            changes.extend(wanted)
        else:
            skipped.append(reason)
    return changes, skipped


def basis(subjects: Iterable[Subject]) -> str:
    """A fingerprint of what these laptops should be, whatever they are now."""
    return fingerprint(
        [
            [subject.device.hostname, *(part.digest for part in subject.bundle.components)]
            for subject in subjects
            if subject.bundle and not not_managed(subject.device)
        ]
    )


def _members(subjects: Iterable[Subject], changes: Iterable[Change]) -> list[Member]:
    changing = {change.device for change in changes}
    return [
        Member(hostname=device.hostname, authority=device.authority, model=f"{device.vendor} {device.model}")
        for device in (subject.device for subject in subjects)
        if device.hostname in changing
    ]


def _sample(
    subjects: Iterable[Subject], skipped: Iterable[Skipped], work: str, percent: float
) -> tuple[tuple[str, ...], str]:
    """Who is in the sample, and the salt that drew it.

    Who was in the last sample has a new generation since. So the same laptops and work give the same sample until it
    was rolled out to, and then another one.
    """
    unchanged = [each.device for each in skipped if each.why is Skip.VERIFIED]
    generations = {subject.device.hostname: subject.probe.generation for subject in subjects if subject.probe}
    salt = fingerprint([work, *((name, generations[name]) for name in unchanged)])[:6]
    return draw(unchanged, percent=percent, salt=salt), salt


def _sampled(subject: Subject) -> Iterator[Change]:
    return _in_full(subject, "sample: must report no change")


def _everything(subject: Subject, known: Sequence[Change]) -> Iterator[Change]:
    """What differs, and all the rest as well. A laptop that does not answer gets only what differs."""
    if subject.probe and not subject.answered:
        yield from known
        return
    differing = {change.component: change for change in known}
    for change in _in_full(subject, "asked for in full"):
        yield differing.get(change.component, change)


def _in_full(subject: Subject, reason: str) -> Iterator[Change]:
    if subject.bundle is None or not_managed(subject.device):
        return
    for part in subject.bundle.components:
        yield Change(
            device=subject.device.hostname,
            component=part.name,
            action=Action.FULL,
            reason=reason,
            digest=part.digest,
        )


def waiting(subjects: Iterable[Subject]) -> Iterator[Change]:
    """What unreachable laptops would get if they were awake, judged by our records."""
    for subject in subjects:
        if subject.probe and subject.probe.reach is Reach.UNREACHABLE:
            yield from _changes(subject)


def proofs(subjects: Iterable[Subject]) -> Iterator[ComponentResult]:
    """What laptops just proved and our records did not know, or knew otherwise."""
    for subject in subjects:
        if subject.bundle is None or subject.probe is None or not subject.answered:
            continue
        for component in subject.bundle.components:
            state = subject.recorded.get(component.name)
            known = state and state.digest == component.digest and not state.outcome.is_bad
            if not known and difference(subject, component, None) is None:
                yield ComponentResult(
                    device=subject.device.hostname,
                    component=component.name,
                    outcome=Outcome.UNCHANGED,
                    digest=component.digest,
                    at=subject.probe.at,
                )


def is_proven(subject: Subject, component: str) -> bool:
    """Whether the laptop itself has just said that a component is what it should be."""
    parts = subject.bundle.components if subject.bundle else ()
    return subject.answered and any(
        part.name == component and difference(subject, part, None) is None for part in parts
    )


def not_managed(device: Device) -> Skipped | None:
    """Why the inventory alone already rules a laptop out, or None."""
    why: tuple[Skip, str] | None = None
    if not device.is_linux:
        why = Skip.NOT_LINUX, f"{device.os} is not managed by mvpc"
    elif device.state not in ROLLED_OUT_STATES:
        why = Skip.NOT_IN_SERVICE, f"state {device.state}"
    elif not device.host_key:
        why = Skip.NO_HOST_KEY, "no SSH host key in the inventory"
    return Skipped(device=device.hostname, why=why[0], detail=why[1]) if why else None


def _skip(subject: Subject, wanted: Sequence[Change]) -> Skipped | None:
    """Why a laptop has no work in this plan, or None when it has."""
    if reason := not_managed(subject.device):
        return reason
    name, probe = subject.device.hostname, subject.probe
    if subject.bundle is None:
        return Skipped(device=name, why=Skip.OTHER_OPERATOR, detail=f"operated by {subject.operator}")
    if probe is None:
        return None if wanted else Skipped(device=name, why=Skip.RECORDED, detail=_since(subject))
    if probe.reach is Reach.UNREACHABLE:
        names = ", ".join(change.component for change in wanted)
        waits = f"{names} {'waits' if len(wanted) == 1 else 'wait'}" if wanted else "nothing waits for it"
        return Skipped(device=name, why=Skip.UNREACHABLE, detail=waits)
    if probe.reach is not Reach.REACHED:
        return Skipped(device=name, why=Skip.REFUSED, detail=probe.detail)
    return None if wanted else Skipped(device=name, why=Skip.VERIFIED, detail="verified just now")


def _since(subject: Subject) -> str:
    oldest = min(state.at for state in subject.recorded.values())
    return f"by our records of {oldest:%Y-%m-%d %H:%M}"


def _changes(subject: Subject, now: datetime | None = None) -> Iterator[Change]:
    if subject.bundle is None or not_managed(subject.device):
        return
    for component in subject.bundle.components:
        if found := difference(subject, component, now):
            yield Change(
                device=subject.device.hostname,
                component=component.name,
                action=found.action,
                reason=found.reason,
                source=found.edits[0].source if found.edits else "",
                edits=found.edits,
                drift=found.drift,
                digest=component.digest,
            )
