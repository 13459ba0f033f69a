"""Fakes and factories for tests of mvpc and of what is built on it. They touch nothing outside the process."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from mvpc.model import (
    ANY_TIME,
    COMPONENTS,
    Bundle,
    Component,
    ComponentResult,
    Device,
    HostWork,
    LifeCycle,
    Outcome,
    Plan,
    Probe,
    Reach,
    RolloutEvent,
    RolloutState,
    Scalar,
    Schedule,
)

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
"""The moment at which tests happen."""

HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDp2c6YkWTyXBZjmzYkIyMbdgyIBXfEdyCgEIiOAb3xw"
"""A valid public key; its private half exists nowhere."""


def a_device(hostname: str = "nb-000123", **fields: Any) -> Device:
    """A Debian laptop with a known host key of the Finanzamt Schwerin in use; every field can be overridden."""
    digits = hostname.rsplit("-", 1)[-1]
    values: dict[str, Any] = {
        "number": 123,
        "inventory_number": f"00{digits}",
        "serial": f"SN{digits}",
        "vendor": "Lenovo",
        "model": "ThinkPad T14",
        "authority": "fa-schwerin",
        "site": "schwerin",
        "room": "214",
        "state": LifeCycle.IN_USE,
        "address": "192.0.2.7",
        "host_key": HOST_KEY,
    }
    return Device(hostname=hostname, **(values | fields))


def a_bundle(device: str = "nb-000123", *, inputs: Mapping[str, Scalar] | None = None, **digests: str) -> Bundle:
    """A bundle without resources whose digests are given: `a_bundle("nb-1", wifi="b")`; all others are `a`."""
    return Bundle(
        device=device,
        components=tuple(
            Component(name=name, digest=digests.get(name, "a"), resources=(), inputs=inputs or {})
            for name in COMPONENTS
        ),
    )


def a_probe(device: str = "nb-000123", *, reach: Reach = Reach.REACHED, **fields: Any) -> Probe:
    """The answer of a laptop that holds digest `a` in every component and has not drifted."""
    digests = dict.fromkeys(COMPONENTS, "a") if reach is Reach.REACHED else {}
    values: dict[str, Any] = {"at": NOON, "digests": digests}
    return Probe(device=device, reach=reach, **values | fields)


@dataclass(kw_only=True)
class FakeRunner:
    """A runner that converges nothing: every component comes out as `outcomes` says, by default changed."""

    outcomes: Mapping[tuple[str, str], Outcome] = field(default_factory=dict)
    interrupt_after: int | None = None
    """Raise KeyboardInterrupt when so many results were given."""
    together: int = 1
    """So many results arrive at a time."""
    seen: list[HostWork] = field(default_factory=list)

    def run(self, work: Sequence[HostWork]) -> Generator[Sequence[ComponentResult], None, None]:
        """Yield one result for each device and component."""
        self.seen.extend(work)
        tasks = [(item, component) for item in work for component in item.components]
        for begin in range(0, len(tasks), self.together):
            if begin == self.interrupt_after:
                raise KeyboardInterrupt
            yield [self._result(*task) for task in tasks[begin : begin + self.together]]

    def _result(self, item: HostWork, component: str) -> ComponentResult:
        name = item.device.hostname
        outcome = self.outcomes.get((name, component), Outcome.CHANGED)
        digest = item.bundle.component(component).digest if not outcome.is_bad else ""
        return ComponentResult(device=name, component=component, outcome=outcome, digest=digest, at=NOON)


@dataclass(kw_only=True)
class FakeProber:
    """A prober whose laptops answer as `answers` says; all others are in order."""

    answers: Mapping[str, Probe] = field(default_factory=dict)

    def probe(self, devices: Sequence[Device]) -> Iterator[Probe]:
        """Yield one answer for each device."""
        for device in devices:
            yield self.answers.get(device.hostname, a_probe(device.hostname))


@dataclass(kw_only=True)
class MemoryRecorder:
    """A recorder that keeps everything in lists."""

    plans: list[Plan] = field(default_factory=list)
    results: list[ComponentResult] = field(default_factory=list)
    probes: list[Probe] = field(default_factory=list)
    verified: list[str] = field(default_factory=list)
    rings: list[int] = field(default_factory=list)
    resumed: list[tuple[int, tuple[str, ...]]] = field(default_factory=list)
    """Rollouts that were carried on, with the laptops that they took again."""
    wish: RolloutState | None = None
    """What somebody wishes once the first ring has begun."""
    postponed: list[tuple[int, datetime]] = field(default_factory=list)
    ended: list[tuple[int, RolloutState, str]] = field(default_factory=list)

    def begin_rollout(self, plan: Plan, *, actor: str, at: datetime, schedule: Schedule = ANY_TIME) -> int:
        """Remember the plan and number it."""
        self.plans.append(plan)
        return len(self.plans)

    def record(self, rollout: int, results: Sequence[ComponentResult], inputs: Mapping[Any, Any]) -> None:
        """Remember the results."""
        self.results.extend(results)

    def record_probes(self, probes: Sequence[Probe]) -> None:
        """Remember the answers."""
        self.probes.extend(probes)

    def record_proofs(self, rollout: int, devices: Sequence[str]) -> None:
        """Remember who proved it."""
        self.verified.extend(devices)

    def resume_rollout(self, rollout: int, *, devices: Sequence[str], actor: str) -> None:
        """Remember who was taken again."""
        self.resumed.append((rollout, tuple(devices)))

    def keep_alive(self, rollout: int) -> AbstractContextManager[None]:
        """Nothing dies here."""
        return nullcontext()

    def reach_ring(self, rollout: int, ring: int) -> RolloutState | None:
        """Remember the ring, and pass on the wish."""
        self.rings.append(ring)
        return self.wish if len(self.rings) > 1 else None

    def postpone(self, rollout: int, until: datetime) -> None:
        """Remember until when."""
        self.postponed.append((rollout, until))

    def end_rollout(self, rollout: int, *, at: datetime, state: RolloutState, reason: str) -> None:
        """Remember how it ended."""
        self.ended.append((rollout, state, reason))


@dataclass(kw_only=True)
class MemoryObserver:
    """An observer that keeps what it is told."""

    events: list[RolloutEvent] = field(default_factory=list)

    def observe(self, event: RolloutEvent) -> None:
        """Remember the event."""
        self.events.append(event)
