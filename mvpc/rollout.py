"""Carry out a plan and nothing but the plan. Talks to laptops and to the database only through its protocols."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from mvpc.model import Bundle, Change, ComponentResult, Device, HostWork, Outcome, Plan, Probe, Reach

Results = Generator[ComponentResult, None, None]
"""Results as they arrive. Closing it ends the work; laptops finish the component they are at."""


class Runner(Protocol):
    """Whatever converges laptops."""

    def run(self, work: Sequence[HostWork]) -> Results:
        """Converge and yield every result as it arrives; exactly one for each device and component of the work."""
        ...


class Prober(Protocol):
    """Whatever asks laptops how they are."""

    def probe(self, devices: Sequence[Device]) -> Iterator[Probe]:
        """Ask all devices; yields one answer for each, in any order, whether reached or not."""
        ...


class Recorder(Protocol):
    """Whatever remembers. Everything passed to it must be durable when the method returns."""

    def begin_rollout(self, plan: Plan, *, actor: str, at: datetime) -> int:
        """Store the plan and return the rollout's number, which only ever rises."""
        ...

    def record(self, rollout: int, results: Sequence[ComponentResult], inputs: Inputs) -> None:
        """Store results of devices and components, with the settings they were made from."""
        ...

    def record_probes(self, probes: Sequence[Probe]) -> None:
        """Store what devices said of themselves."""
        ...

    def end_rollout(self, rollout: int, *, at: datetime, counts: Mapping[str, int], interrupted: bool) -> None:
        """Close the rollout."""
        ...


Inputs = Mapping[tuple[str, str], Mapping[str, object]]
"""(device, component) -> the settings that the component was made from."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rollout:
    """How a rollout ended."""

    number: int
    counts: Mapping[Outcome, int]
    """Devices by their worst outcome."""
    verified: int
    """Devices that said afterwards, asked once more, that nothing differs."""
    results: tuple[ComponentResult, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Seams:
    """What a rollout works with."""

    runner: Runner
    prober: Prober
    recorder: Recorder
    now: Callable[[], datetime]
    observe: Callable[[ComponentResult], None]
    """Called with every result after it was stored: live progress, logs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """A plan with everything that is needed to carry it out."""

    plan: Plan
    devices: Mapping[str, Device]
    bundles: Mapping[str, Bundle]
    """Their digests must be those of the plan."""
    asleep: tuple[Change, ...] = ()
    """Changes that wait for laptops which did not answer; recorded as unreachable."""
    actor: str
    highest_generation: int = 0
    """The highest generation that any selected laptop knows; ours must be above it, also after a lost database."""


def roll_out(job: Job, seams: Seams) -> Rollout:
    """Converge every change of the plan, store each result as it arrives, then ask the laptops for proof.

    Raises:
        KeyboardInterrupt: passed on after the rollout was closed as interrupted.
        MvpcError: the runner or the recorder could not go on; the rollout was closed as interrupted.
    """
    number = seams.recorder.begin_rollout(job.plan, actor=job.actor, at=seams.now())
    results: list[ComponentResult] = []
    try:
        with closing(_converge(job, number, seams)) as arriving:
            for result in arriving:
                seams.recorder.record(number, [result], _inputs(result, job.bundles))
                seams.observe(result)
                results.append(result)
        verified = _verify(results, job.devices, seams)
    except BaseException:
        _end(seams, number, results, interrupted=True)
        raise
    _end(seams, number, results, interrupted=False)
    return Rollout(number=number, counts=worst_outcomes(results), verified=verified, results=tuple(results))


def worst_outcomes(results: Iterable[ComponentResult]) -> dict[Outcome, int]:
    """Number of devices by the worst outcome among their components."""
    order = (Outcome.UNCHANGED, Outcome.CHANGED, Outcome.UNREACHABLE, Outcome.FAILED)
    worst: dict[str, Outcome] = {}
    for result in results:
        worst[result.device] = max(worst.get(result.device, Outcome.UNCHANGED), result.outcome, key=order.index)
    return dict(Counter(worst.values()))


def _converge(job: Job, number: int, seams: Seams) -> Results:
    for change in job.asleep:
        yield ComponentResult(
            device=change.device, component=change.component, outcome=Outcome.UNREACHABLE, at=seams.now()
        )
    components: dict[str, list[str]] = {}
    for change in job.plan.changes:
        components.setdefault(change.device, []).append(change.component)
    generation = max(number, job.highest_generation + 1)
    work = [
        HostWork(device=job.devices[name], bundle=job.bundles[name], components=tuple(names), generation=generation)
        for name, names in components.items()
    ]
    if work:
        with closing(seams.runner.run(work)) as arriving:
            yield from arriving


def _inputs(result: ComponentResult, bundles: Mapping[str, Bundle]) -> Inputs:
    key = (result.device, result.component)
    bundle = bundles.get(result.device)
    return {key: bundle.component(result.component).inputs} if bundle else {}


def _verify(results: Sequence[ComponentResult], devices: Mapping[str, Device], seams: Seams) -> int:
    """Applied is not verified: ask every laptop that was converged without failure once more."""
    worst: dict[str, set[Outcome]] = {}
    for result in results:
        worst.setdefault(result.device, set()).add(result.outcome)
    good = [devices[name] for name, seen in worst.items() if seen <= {Outcome.CHANGED, Outcome.UNCHANGED}]
    probes = list(seams.prober.probe(good)) if good else []
    seams.recorder.record_probes(probes)
    return sum(1 for probe in probes if probe.reach is Reach.REACHED and not any(probe.drift.values()))


def _end(seams: Seams, number: int, results: Sequence[ComponentResult], *, interrupted: bool) -> None:
    counts = {str(outcome): count for outcome, count in worst_outcomes(results).items()}
    seams.recorder.end_rollout(number, at=seams.now(), counts=counts, interrupted=interrupted)
