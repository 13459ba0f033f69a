"""Rollouts: the work, and where it stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from mvpc.model.answers import ComponentResult
from mvpc.model.bundles import Bundle
from mvpc.model.devices import Device
from mvpc.model.plans import Plan
from mvpc.model.schedules import ANY_TIME, Schedule


@dataclass(frozen=True, kw_only=True, slots=True)
class HostWork:
    """What one run converges on one laptop."""

    device: Device
    bundle: Bundle
    components: tuple[str, ...]
    generation: int


class RolloutState(StrEnum):
    """Where a rollout is in its life."""

    RUNNING = "running"  #: somebody is carrying it out, or was when the power went
    DONE = "done"  #: all rings are through
    STOPPED = "stopped"  #: too many laptops failed; nothing new is started
    SCHEDULED = "scheduled"  #: outside of its schedule, or between two rings; it goes on when its time comes
    HELD = "held"  #: a gate is closed: quorum, or a person's word
    PAUSED = "paused"  #: somebody asked it to pause
    INTERRUPTED = "interrupted"  #: Ctrl-C, an error, or mvpc was killed
    CANCELLED = "cancelled"  #: somebody ended it for good


RESUMABLE = frozenset(RolloutState) - {RolloutState.DONE, RolloutState.CANCELLED}


@dataclass(frozen=True, kw_only=True, slots=True)
class RolloutRow:
    """One rollout in short."""

    id: int
    started: datetime
    ended: datetime | None
    """When it last came to rest; None while it runs, or when mvpc itself was killed."""
    state: RolloutState
    reason: str
    """Why it came to rest; empty when it is done."""
    ring: int
    """Position of the ring that it is at."""
    actor: str
    scope: str
    plan_hash: str
    counts: Mapping[str, int]
    """Devices by their worst outcome; empty until it has ended."""
    schedule: Schedule = ANY_TIME
    """When it may touch laptops; what waits for sleeping ones keeps to it as well."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Deferred:
    """One component that waits for its laptop to wake up."""

    device: str
    component: str
    since: datetime
    """When the first rollout did not reach it."""
    rollout: int
    """The newest rollout that did not reach it."""
    digest: str = ""
    """What that rollout would have brought it to."""
    state: RolloutState = RolloutState.DONE
    """Where that rollout is; until it is done, nothing that waits for it is served."""
    rested: datetime | None = None
    """When that rollout last came to rest."""
    schedule: Schedule = ANY_TIME
    """When that rollout may touch laptops."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RolloutRecord:
    """One rollout in full."""

    row: RolloutRow
    plan: Plan
    results: tuple[ComponentResult, ...]
    verified: frozenset[str] = frozenset()
    """Laptops that said at the end of their ring that they are what the plan wanted."""
