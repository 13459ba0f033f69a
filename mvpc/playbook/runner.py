"""The runner of a rollout: a few ansible-playbook processes side by side, their results as they come."""

from __future__ import annotations

import os
import select
import time
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from mvpc.errors import RolloutError
from mvpc.model import ComponentResult, HostWork, Outcome
from mvpc.playbook.edition import refuse_other
from mvpc.playbook.hosts import Login, unfit
from mvpc.playbook.shard import Shard, Terms
from mvpc.playbook.shards import shards

_LOOK_MS = 500
"""How often deadlines, and processes that ended without a word, are looked at."""

_GATHER_SECONDS = 0.1
"""How long a result waits for those right behind it, since each batch costs the database one flush to disk."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AnsibleRunner:
    """Converges laptops with ansible-playbook; see `mvpc.rollout.Runner`."""

    playbooks: Path
    """Folder with rollout.yml and ansible.cfg; absolute."""
    user: str
    port: int
    key: Path
    host_authority: str = ""
    """Public key of the authority whose host certificates are believed beside the host keys of the inventory."""
    at_once: int = 50
    """Laptops that are worked on at the same time, over all processes (forks)."""
    processes: int = field(default_factory=lambda: os.cpu_count() or 1)
    """ansible-playbook processes side by side. One cannot keep more than one core busy."""
    component_seconds: int = 1800
    """How long one component may take on one laptop; a large office suite over a slow VPN needs its time."""

    def run(self, work: Sequence[HostWork]) -> Generator[Sequence[ComponentResult], None, None]:
        """Converge and yield results as they arrive; exactly one for each device and component of the work.

        When the caller stops early, also by Ctrl-C, Ansible is ended; laptops finish the component they are at.
        Use `contextlib.closing` where that must not wait for the garbage collector.

        Raises:
            RolloutError: Ansible or the SSH key is missing, the playbooks belong to another mvpc, or Ansible ended
                before it came to the first laptop.
        """
        fit = []
        for item in work:
            if reason := unfit(item.device):
                yield tuple(_refuse(item, reason))
            else:
                fit.append(item)
        if fit:
            yield from self._play(fit)

    def _play(self, work: Sequence[HostWork]) -> Iterator[Sequence[ComponentResult]]:
        if not self.key.is_file():
            raise RolloutError("there is no SSH key", where=str(self.key), hint="Set ssh.key in mvpc.toml")
        refuse_other(self.playbooks)
        waiting = deque(shards(work, processes=self.processes))
        terms = self._terms(len(waiting))
        running: list[Shard] = []
        try:
            while waiting or running:
                while waiting and len(running) < self.processes:
                    running.append(Shard.start(waiting.popleft(), terms))
                _await(running)
                yield [result for shard in running for result in shard.take()]
                for shard in [shard for shard in running if shard.over]:
                    yield list(shard.finish())
                    running.remove(shard)
        finally:
            _end(running)

    def _terms(self, number: int) -> Terms:
        login = Login(user=self.user, port=self.port, key=self.key.absolute(), host_authority=self.host_authority)
        return Terms(
            playbooks=self.playbooks,
            login=login,
            forks=max(1, self.at_once // min(self.processes, number)),
            component_seconds=self.component_seconds,
        )


def _await(running: Sequence[Shard]) -> None:
    """Wait until some Ansible says something and what is right behind it, or until it is time to look at clocks."""
    events = select.poll()
    for shard in running:
        events.register(shard.ansible.events, select.POLLIN)
    if any(event & select.POLLIN for _, event in events.poll(_LOOK_MS)):
        time.sleep(_GATHER_SECONDS)


def _end(running: Sequence[Shard]) -> None:
    """End what still runs: ask all, and then see to each."""
    for shard in running:
        with suppress(ProcessLookupError):
            shard.ansible.process.terminate()
    for shard in running:
        shard.close()


def _refuse(item: HostWork, reason: str) -> Iterator[ComponentResult]:
    for component in item.components:
        yield ComponentResult(
            device=item.device.hostname,
            component=component,
            outcome=Outcome.FAILED,
            at=datetime.now(tz=UTC),
            error=reason,
        )
