"""One ansible-playbook at work on its shard: from the run folder to the last result."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path

from mvpc.errors import RolloutError
from mvpc.model import ComponentResult, HostWork
from mvpc.playbook.folder import fill, run_folder
from mvpc.playbook.hosts import Login
from mvpc.playbook.process import Playbook, playbook
from mvpc.playbook.shards import longest
from mvpc.playbook.tally import Tally

_START_SECONDS = 60.0
"""Ansible itself, on a controller that has much to do."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Terms:
    """What holds for every shard of a run."""

    playbooks: Path
    login: Login
    forks: int
    component_seconds: int


@dataclass(kw_only=True, slots=True)
class Shard:
    """A running ansible-playbook, what is still awaited of it, and everything that must be undone at its end."""

    ansible: Playbook
    tally: Tally
    deadline: float
    belongings: ExitStack
    over: bool = field(default=False, init=False)

    @classmethod
    def start(cls, work: Sequence[HostWork], terms: Terms) -> Shard:
        """Write the run folder and start ansible-playbook on it.

        Raises:
            RolloutError: Ansible is missing, or there is no place for the run folder.
        """
        with ExitStack() as belongings:
            folder = belongings.enter_context(run_folder())
            fill(folder, work, terms.login, seconds=terms.component_seconds)
            arguments = _arguments(folder, work, terms)
            ansible = belongings.enter_context(playbook(folder, arguments, config=terms.playbooks / "ansible.cfg"))
            return cls(
                ansible=ansible,
                tally=Tally.of(work),
                deadline=time.monotonic() + _seconds(work, terms),
                belongings=belongings.pop_all(),
            )

    def take(self) -> Iterator[ComponentResult]:
        """Results of what Ansible has said by now; does not wait. Sets `over` when nothing more will come."""
        lines = self.ansible.lines()
        for line in lines or ():
            yield from self.tally.take(line)
        # Once every result is there, Ansible only tidies up, which takes longer than to end it.
        self.over = lines is None or not self.tally.waiting or time.monotonic() > self.deadline

    def finish(self) -> Iterator[ComponentResult]:
        """Fail what got no result, and end everything.

        Raises:
            RolloutError: Ansible ended before it came to the first laptop.
        """
        try:
            yield from self.tally.rest(_why_not(self.ansible, self.tally))
        finally:
            self.close()

    def close(self) -> None:
        """End Ansible and everything that it started, and remove the run folder."""
        self.belongings.close()


def _arguments(folder: Path, work: Sequence[HostWork], terms: Terms) -> list[str]:
    return [
        f"--inventory={folder / 'inventory.json'}",
        f"--forks={min(terms.forks, len(work))}",
        "--",
        str(terms.playbooks / "rollout.yml"),
        *([str(terms.playbooks / "local.yml")] if any(map(_runs_roles, work)) else ()),
    ]


def _runs_roles(item: HostWork) -> bool:
    return any(item.bundle.component(name).role for name in item.components)


def _seconds(work: Sequence[HostWork], terms: Terms) -> float:
    """The time after which something must hang: every laptop of every batch took all the time it may."""
    return _START_SECONDS + ceil(len(work) / terms.forks) * terms.component_seconds * longest(work)


def _why_not(ansible: Playbook, tally: Tally) -> str:
    """Why results are missing; raises RolloutError when Ansible itself did not work."""
    if not tally.waiting:
        return ""
    if not ansible.has_ended():
        return "no result in time; the run was stopped"
    complaint = ansible.complaint() or f"exit code {ansible.process.returncode}"
    if not tally.begun:
        raise RolloutError(f"Ansible could not start: {complaint}")
    return f"Ansible ended without a result for it: {complaint}"
