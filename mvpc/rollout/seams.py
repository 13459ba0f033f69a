"""What a rollout works with, as protocols: laptops, the database, and whoever watches."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from mvpc.model import ComponentResult, Device, HostWork, Plan, Probe, RolloutState, Schedule, events

Results = Generator[Sequence[ComponentResult], None, None]
"""Results as they arrive, those together that came together: each batch is stored at once. Closing it ends the work;
laptops finish the component they are at."""

Inputs = Mapping[tuple[str, str], Mapping[str, object]]
"""(device, component) -> the settings that the component was made from."""


class Runner(Protocol):
    """Whatever converges laptops."""

    def run(self, work: Sequence[HostWork]) -> Results:
        """Converge and yield results as they arrive; exactly one for each device and component of the work.

        A result must not wait longer than a blink for others to fill its batch: it counts only once it is stored.
        """
        ...


class Prober(Protocol):
    """Whatever asks laptops how they are."""

    def probe(self, devices: Sequence[Device]) -> Iterator[Probe]:
        """Ask all devices; yields one answer for each, in any order, whether reached or not."""
        ...


class Recorder(Protocol):
    """Whatever remembers. Everything passed to it must be durable when the method returns."""

    def begin_rollout(self, plan: Plan, *, actor: str, at: datetime, schedule: Schedule) -> int:
        """Store the plan, take its devices for us alone, and return the rollout's number, which only ever rises.

        Raises:
            RolloutError: somebody else is rolling out to one of the devices; says who and since when.
        """
        ...

    def resume_rollout(self, rollout: int, *, devices: Sequence[str], actor: str) -> None:
        """Take the devices again and mark the rollout as running; raises RolloutError as `begin_rollout`."""
        ...

    def keep_alive(self, rollout: int) -> AbstractContextManager[None]:
        """Give signs of life while the context is open, so that the devices stay ours."""
        ...

    def reach_ring(self, rollout: int, ring: int) -> RolloutState | None:
        """Note the ring that begins; returns what somebody wished, or nothing. RolloutError: it is no longer ours."""
        ...

    def record(self, rollout: int, results: Sequence[ComponentResult], inputs: Inputs) -> None:
        """Store results of devices and components, with the settings they were made from."""
        ...

    def record_probes(self, probes: Sequence[Probe]) -> None:
        """Store what devices said of themselves."""
        ...

    def record_proofs(self, rollout: int, devices: Sequence[str]) -> None:
        """Store which laptops said that they are what the rollout wanted."""
        ...

    def postpone(self, rollout: int, until: datetime) -> None:
        """Let the rollout touch no laptop before this moment."""
        ...

    def end_rollout(self, rollout: int, *, at: datetime, state: RolloutState, reason: str) -> None:
        """Let the rollout come to rest, count its devices, and give them free."""
        ...


class Observer(Protocol):
    """Whoever watches: a live view, a log."""

    def observe(self, event: events.RolloutEvent) -> None:
        """Be told what has happened; it is durable already."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Seams:
    """What a rollout works with."""

    runner: Runner
    prober: Prober
    recorder: Recorder
    now: Callable[[], datetime]
    observer: Observer
    stop: Callable[[], str] = lambda: ""
    """Asked before something new is begun: why it must not be; empty when it may."""
    at_once: int = 50
    """So many laptops are handed to the runner at a time: the most that a stopped rollout still finishes."""
