"""The runner of a rollout: one ansible-playbook for the whole work."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil
from pathlib import Path

from mvpc.errors import RolloutError
from mvpc.model import COMPONENTS, ComponentResult, HostWork, Outcome
from mvpc.playbook.folder import fill, run_folder
from mvpc.playbook.hosts import Login, unfit
from mvpc.playbook.process import Playbook, playbook
from mvpc.playbook.tally import Tally


@dataclass(frozen=True, kw_only=True, slots=True)
class AnsibleRunner:
    """Converges laptops with ansible-playbook; see `mvpc.rollout.Runner`."""

    playbooks: Path
    """Folder with site.yml and ansible.cfg; absolute."""
    user: str
    port: int
    key: Path
    at_once: int = 20
    """Laptops that are worked on at the same time (forks)."""
    component_seconds: int = 1800
    """How long one component may take on one laptop; a large office suite over a slow VPN needs its time."""

    def run(self, work: Sequence[HostWork]) -> Generator[ComponentResult, None, None]:
        """Converge and yield every result as it arrives; exactly one for each device and component of the work.

        When the caller stops early, also by Ctrl-C, Ansible is ended; laptops finish the component they are at.
        Use `contextlib.closing` where that must not wait for the garbage collector.

        Raises:
            RolloutError: Ansible or the SSH key is missing, or Ansible ended before it came to the first laptop.
        """
        fit = []
        for item in work:
            if reason := unfit(item.device):
                yield from _refuse(item, reason)
            else:
                fit.append(item)
        if fit:
            yield from self._play(fit)

    def _play(self, work: Sequence[HostWork]) -> Iterator[ComponentResult]:
        if not self.key.is_file():
            raise RolloutError("there is no SSH key", where=str(self.key), hint="Set ssh.key in mvpc.toml")
        tally = Tally.of(work)
        login = Login(user=self.user, port=self.port, key=self.key.absolute())
        with run_folder() as folder:
            fill(folder, work, login, seconds=self.component_seconds)
            with playbook(folder, self._arguments(folder, work), config=self.playbooks / "ansible.cfg") as ansible:
                for line in ansible.lines(self._seconds(work)):
                    yield from tally.take(line)
                yield from tally.rest(_why_not(ansible, tally))

    def _arguments(self, folder: Path, work: Sequence[HostWork]) -> list[str]:
        wanted = {name for item in work for name in item.components}
        return [
            f"--inventory={folder / 'inventory.json'}",
            f"--forks={min(self.at_once, len(work))}",
            # Only roles that somebody needs: each task costs the controller time on every laptop, even a skipped one.
            f"--tags={','.join(name for name in COMPONENTS if name in wanted)}",
            "--skip-tags=verdict",
            "--",
            str(self.playbooks / "site.yml"),
        ]

    def _seconds(self, work: Sequence[HostWork]) -> float:
        """The time after which something must hang: every laptop of every batch took all the time it may."""
        batches = ceil(len(work) / self.at_once)
        return 60.0 + batches * self.component_seconds * max(len(item.components) for item in work)


def _refuse(item: HostWork, reason: str) -> Iterator[ComponentResult]:
    for component in item.components:
        yield ComponentResult(
            device=item.device.hostname,
            component=component,
            outcome=Outcome.FAILED,
            at=datetime.now(tz=UTC),
            error=reason,
        )


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
