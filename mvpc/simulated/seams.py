"""Simulated laptops in the place of SSH and Ansible: the Prober and the Runner of a rollout."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from mvpc.model import ComponentResult, Device, HostWork, Outcome, Probe, Reach
from mvpc.simulated.laptops import Laptops, Ledger

_GATHER_SECONDS = 0.1
"""Laptops that end within this time arrive in one batch, as with the real runner."""

_SLOWER = 10
_PATIENCE = 100
"""A laptop that hangs is given up after so many times the time of a component."""

_SILENCE = "simulated: it does not answer"
_GIVEN_UP = "simulated: no result in time; the run was stopped"
_BROKEN = "simulated: E: Sub-process /usr/bin/dpkg returned an error code (1)"
_ENDS = {_SILENCE: Outcome.UNREACHABLE, _GIVEN_UP: Outcome.FAILED, _BROKEN: Outcome.FAILED}


@dataclass(frozen=True, kw_only=True, slots=True)
class SimulatedProber:
    """Asks simulated laptops; see `mvpc.rollout.Prober`."""

    laptops: Laptops
    now: Callable[[], datetime]

    def probe(self, devices: Sequence[Device]) -> Iterator[Probe]:
        """Ask all devices; yields one answer for each."""
        ledgers = self.laptops.ledgers([device.hostname for device in devices])
        at = self.now()
        for device in devices:
            if self.laptops.is_away(device.hostname, at):
                yield Probe(device=device.hostname, at=at, reach=Reach.UNREACHABLE, detail=_SILENCE)
            else:
                yield self._answer(device, ledgers.get(device.hostname, Ledger()), at)

    def _answer(self, device: Device, ledger: Ledger, at: datetime) -> Probe:
        return Probe(
            device=device.hostname,
            at=at,
            reach=Reach.REACHED,
            generation=ledger.generation,
            digests=ledger.digests,
            facts={
                "os": f"{device.os} (simulated)",
                "disk_encrypted": True,
                "updates_pending": self.laptops.updates(device.hostname),
            },
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class SimulatedRunner:
    """Converges simulated laptops; see `mvpc.rollout.Runner`."""

    laptops: Laptops
    now: Callable[[], datetime]

    def run(self, work: Sequence[HostWork]) -> Generator[Sequence[ComponentResult], None, None]:
        """Converge and yield results as they arrive; all laptops of the work are worked on side by side."""
        begun = time.monotonic()
        ledgers = self.laptops.ledgers([item.device.hostname for item in work])
        inside = sorted(work, key=self._seconds)
        for _, together in groupby(inside, key=lambda item: self._seconds(item) // _GATHER_SECONDS):
            items = list(together)
            time.sleep(max(0, begun + self._seconds(items[-1]) - time.monotonic()))
            pairs = [(item, result) for item in items for result in self._results(item, ledgers)]
            self.laptops.remember(
                (result.device, result.component, result.digest, item.generation)
                for item, result in pairs
                if result.outcome is not Outcome.UNREACHABLE
            )
            yield [result for _, result in pairs]

    def _seconds(self, item: HostWork) -> float:
        """How long this laptop takes for all of its components."""
        one = self.laptops.chances.component_seconds
        if self.laptops.hangs(item.device.hostname):
            return one * _PATIENCE
        pace = _SLOWER if self.laptops.is_slow(item.device.hostname) else 1
        return one * pace * len(item.components)

    def _results(self, item: HostWork, ledgers: Mapping[str, Ledger]) -> Iterator[ComponentResult]:
        at, known = self.now(), ledgers.get(item.device.hostname, Ledger()).digests
        for component, error in self._errors(item, at).items():
            digest = item.bundle.component(component).digest
            outcome = _ENDS.get(error) or (Outcome.UNCHANGED if known.get(component) == digest else Outcome.CHANGED)
            yield ComponentResult(
                device=item.device.hostname,
                component=component,
                outcome=outcome,
                digest="" if error else digest,
                at=at,
                changes=(f"simulated: {component} converged",) if outcome is Outcome.CHANGED else (),
                error=error,
            )

    def _errors(self, item: HostWork, at: datetime) -> dict[str, str]:
        """Component -> what goes wrong with it; empty when nothing does."""
        name = item.device.hostname
        if self.laptops.is_away(name, at):
            return dict.fromkeys(item.components, _SILENCE)
        if self.laptops.hangs(name):
            return dict.fromkeys(item.components, _GIVEN_UP)
        broken = self.laptops.failing(name, item.components, item.generation)
        return {component: _BROKEN if component == broken else "" for component in item.components}
