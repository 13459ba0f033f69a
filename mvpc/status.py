"""What we believe of a laptop, since when, and what to do next. Pure: records in, words out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from mvpc.deferred import judge
from mvpc.model import (
    COMPONENTS,
    NO_LOGIN,
    ROLLED_OUT_STATES,
    ComponentState,
    Deferred,
    Device,
    DeviceSeen,
    LifeCycle,
    Outcome,
    Reach,
    Reachability,
    RolloutRow,
    ServiceSeen,
)
from mvpc.schedule import Turn

SILENT_AFTER = timedelta(days=30)
"""A laptop that has not answered for so long is worth a question."""


class Verdict(StrEnum):
    """One word for the helpdesk, worst first."""

    REFUSED = "refused"  #: something answers at its address, but not as this laptop
    NEEDS_REPAIR = "needs_repair"  #: the last rollout could not finish on it, and only a person can mend that
    ROLLED_BACK = "rolled_back"  #: it took the last change back, since that cut it off
    FAILED = "failed"  #: the last rollout could not finish on it
    DRIFTED = "drifted"  #: it differs from what it was brought to
    EXPIRED = "expired"  #: a change waited for it until its time had passed
    OUTDATED = "outdated"  #: a change waits for it
    SILENT = "silent"  #: not heard of for a long time
    NEW = "new"  #: no rollout has reached it yet
    UNMANAGED = "unmanaged"  #: in the inventory, but not rolled out to
    APPLIED = "applied"  #: brought to its profile, not asked since
    OK = "ok"  #: brought to its profile and verified afterwards


@dataclass(frozen=True, kw_only=True, slots=True)
class Knowledge:
    """All that our records hold of one laptop."""

    device: Device
    states: Mapping[str, ComponentState] = field(default_factory=dict)
    seen: DeviceSeen | None = None
    last_rollout: RolloutRow | None = None
    at_work: RolloutRow | None = None
    """The rollout that works on it just now."""
    waits: Sequence[Deferred] = ()
    """What waits for it to wake up."""
    services: Sequence[ServiceSeen] = ()
    """Which central services it reached when it was last asked."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DeviceStatus:
    """The answer for one laptop."""

    device: Device
    verdict: Verdict
    reason: str
    since: datetime | None
    last_seen: datetime | None
    unanswered: datetime | None
    """When it was last asked and gave no answer; None when it has answered since."""
    last_rollout: int | None
    at_work: int | None
    """The rollout that works on it just now."""
    drift: Mapping[str, tuple[str, ...]]
    services: Sequence[ServiceSeen]
    next_step: str


def device_status(known: Knowledge, now: datetime) -> DeviceStatus:
    """Judge one laptop by our records."""
    verdict, reason, since = _verdict(known, now)
    return DeviceStatus(
        device=known.device,
        verdict=verdict,
        reason=reason,
        since=since,
        last_seen=known.seen.last_seen if known.seen else None,
        unanswered=known.seen.at if known.seen and known.seen.reach is Reach.UNREACHABLE else None,
        last_rollout=known.last_rollout.id if known.last_rollout else None,
        at_work=known.at_work.id if known.at_work else None,
        drift=known.seen.drift if known.seen else {},
        services=known.services,
        next_step=_next_step(verdict, known),
    )


_Judgement = tuple[Verdict, str, datetime | None]
"""Verdict, its reason, and since when it holds."""


def _verdict(known: Knowledge, now: datetime) -> _Judgement:
    """The first rule that holds, worst first."""
    if reason := _unmanaged(known.device):
        return Verdict.UNMANAGED, reason, None
    return _trouble(known) or _waiting(known, now) or _settled(known, now)


def _trouble(known: Knowledge) -> _Judgement | None:
    seen = known.seen
    if seen and seen.reach in {Reach.REFUSED, Reach.BROKEN}:
        return Verdict.REFUSED, seen.detail, seen.at
    if failed := [state for state in known.states.values() if state.outcome.is_bad]:
        worst = max(failed, key=lambda state: tuple(Outcome).index(state.outcome))
        return Verdict(worst.outcome), f"{worst.component}: {worst.error}", worst.at
    if seen and (drifted := [name for name, words in seen.drift.items() if words]):
        verb = "differs" if len(drifted) == 1 else "differ"
        return Verdict.DRIFTED, f"{', '.join(drifted)} {verb} from its profile", seen.last_seen
    return None


def _waiting(known: Knowledge, now: datetime) -> _Judgement | None:
    if known.waits:
        waits = judge(known.waits, now)
        names = ", ".join(waits.components)
        if waits.turn is Turn.EXPIRED:
            return Verdict.EXPIRED, f"{names} waited for it, and {waits.why}", waits.since
        later = f" {waits.why}" if waits.turn is Turn.WAITING else ""
        verb = "waits" if len(waits.components) == 1 else "wait"
        return Verdict.OUTDATED, f"{names} {verb} for it{later}", waits.since
    return None if known.states else (Verdict.NEW, "no rollout has reached it yet", None)


def _settled(known: Knowledge, now: datetime) -> _Judgement:
    applied = max(state.at for state in known.states.values())
    last_seen = known.seen.last_seen if known.seen else None
    if now - max(applied, last_seen or applied) > SILENT_AFTER:
        return Verdict.SILENT, "has not answered for a long time", last_seen or applied
    if last_seen and last_seen >= applied and set(known.states) >= set(COMPONENTS):
        return Verdict.OK, "as its last rollout left it", last_seen
    return Verdict.APPLIED, "brought to its profile, not asked since", applied


def _unmanaged(device: Device) -> str:
    if not device.is_linux:
        return f"{device.os} is not managed by mvpc"
    if device.state not in ROLLED_OUT_STATES:
        return f"state {device.state}"
    return "" if device.host_key else "no SSH host key in the inventory"


def _next_step(verdict: Verdict, known: Knowledge) -> str:
    """The step of the most special rule that holds."""
    if known.at_work:
        return f"wait for rollout {known.at_work.id}, which works on it just now"
    return (
        _next_by_last_answer(verdict, known)
        or (_next_for_services(known) if verdict in _GOOD else "")
        or _STEPS.get(verdict, "").format(laptop=known.device.hostname)
        or _next_for_unmanaged(known.device)
    )


def _next_by_last_answer(verdict: Verdict, known: Knowledge) -> str:
    """What its last answer, or that there was none, makes of the step; empty when it makes no difference."""
    name, seen = known.device.hostname, known.seen
    if seen is None:
        return ""
    if verdict is Verdict.REFUSED and seen.reach is Reach.BROKEN:
        return f"it is the laptop we know: see to its disk, sudo and python3, then: mvpc status {name} --live"
    if verdict is Verdict.REFUSED and NO_LOGIN in seen.detail:
        return f"compare `[ssh]` of mvpc.toml with accounts and keys on the laptop, then: mvpc status {name} --live"
    if verdict is Verdict.DRIFTED and seen.reach is Reach.UNREACHABLE:
        return f"it does not answer now; when it is on: mvpc rollout --device {name}"
    if verdict in _GOOD and seen.reach is Reach.UNREACHABLE:
        step = "nothing while it is off; if it is on, no network reaches it: plug in a cable, then"
        return f"{step}: mvpc status {name} --live"
    return ""


_GOOD = {Verdict.OK, Verdict.APPLIED}
_STEPS = {
    Verdict.OK: "nothing to do",
    Verdict.APPLIED: "to verify it now: mvpc status {laptop} --live",
    Verdict.NEW: "mvpc rollout --device {laptop}",
    Verdict.EXPIRED: "to make it up: mvpc rollout --device {laptop}; to forget it: mvpc rollout purge {laptop}",
    Verdict.OUTDATED: "`mvpc rollout watch` serves it when it comes back; by hand: mvpc rollout --device {laptop}",
    Verdict.DRIFTED: "to repair it: mvpc rollout --device {laptop}",
    Verdict.NEEDS_REPAIR: "on the laptop, as root: dpkg --configure -a, then apt-get --fix-broken install; "
    "when both succeed: mvpc rollout --device {laptop}",
    Verdict.ROLLED_BACK: "it is as it was before: correct the profile, then: mvpc rollout --device {laptop}",
    Verdict.FAILED: "remove the cause, then: mvpc rollout --device {laptop}",
    Verdict.REFUSED: "find out whether it was reinstalled or replaced; "
    "only then: mvpc device set {laptop} host_key=...",
    Verdict.SILENT: "ask its user or its authority where it is",
}


def _next_for_services(known: Knowledge) -> str:
    """The step for the first service that is not reachable; empty when all are."""
    for each in known.services:
        if step := _SERVICE_STEPS.get(each.state):
            return step.format(laptop=known.device.hostname, name=each.name, url=each.url, product=each.product)
    return ""


_OTHER_END = "the way to {name} is open; tell those who run it: {url}"
_SERVICE_STEPS = {
    Reachability.NAME_UNKNOWN: "{name}: see whether its tunnel is up, then compare its name servers: "
    "mvpc profile explain {laptop} vpn.dns",
    Reachability.NO_ROUTE: "{name}: see whether its tunnel is up, and whether the gateway leads to {url}",
    Reachability.SILENT: "{name}: see whether its tunnel is up, and whether a firewall lets it through to {url}",
    Reachability.UNTRUSTED: "{name}: compare the certificate of {url} with `certificates` in "
    "profiles/catalogue/{product}.yml",
    Reachability.REFUSED: _OTHER_END,
    Reachability.STATUS: _OTHER_END,
    Reachability.BROKEN: _OTHER_END,
}


def _next_for_unmanaged(device: Device) -> str:
    if not device.is_linux:
        return "nothing to do in mvpc"
    if device.state is LifeCycle.LOST:
        return f"an incident; unless that was done, revoke its certificates: mvpc device lost {device.hostname}"
    if device.state in ROLLED_OUT_STATES:
        return f"enter its SSH host key: mvpc device set {device.hostname} host_key=..."
    return f"when it is ready for use: mvpc device set {device.hostname} state=..."
