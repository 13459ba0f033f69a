"""The laptops of a project: real ones over SSH and Ansible, or simulated ones. The only place that knows both."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import takewhile
from threading import Event
from typing import TYPE_CHECKING

from mvpc.cli.context import now
from mvpc.model import Device, Probe
from mvpc.project import Project
from mvpc.rollout import Prober, Runner

if TYPE_CHECKING:
    from mvpc.software import Questions  # loads pydantic


def prober(project: Project, *, updates: bool = False, questions: Mapping[str, Questions] | None = None) -> Prober:
    """Asks the laptops of this project how they are; with `updates`, also how many updates wait, which is dear.

    Args:
        project: whose laptops.
        updates: whether pending updates are counted.
        questions: hostname -> what a laptop is asked besides. Simulated ones have no software and reach no service.
    """
    if project.chances:
        from mvpc.simulated import Laptops, SimulatedProber  # noqa: PLC0415 - seldom needed

        return SimulatedProber(laptops=Laptops(memory=project.memory, chances=project.chances), now=now)
    from mvpc.cli.trust import host_authority  # noqa: PLC0415 - loads paramiko
    from mvpc.ssh import SshProber  # noqa: PLC0415 - the same

    return SshProber(
        user=project.ssh_user,
        port=project.ssh_port,
        key=project.ssh_key,
        now=now,
        updates=updates,
        questions=questions or {},
        authority=host_authority(project),
    )


@contextmanager
def asking(prober: Prober, devices: Sequence[Device]) -> Iterator[Callable[[], dict[str, Probe]]]:
    """Ask laptops while something else is done; what it gives waits for their answers, by hostname.

    When that fails, nobody new is asked; it still waits for those that are just being asked.
    """
    failed = Event()

    def ask() -> dict[str, Probe]:
        heard = takewhile(lambda _: not failed.is_set(), prober.probe(devices))
        return {probe.device: probe for probe in heard}

    with ThreadPoolExecutor(1) as beside:
        asked = beside.submit(ask)
        try:
            yield asked.result
        except BaseException:
            failed.set()
            raise


def runner(project: Project) -> Runner:
    """Converges the laptops of this project."""
    if project.chances:
        from mvpc.simulated import Laptops, SimulatedRunner  # noqa: PLC0415 - seldom needed

        return SimulatedRunner(laptops=Laptops(memory=project.memory, chances=project.chances), now=now)
    from mvpc.playbook import AnsibleRunner  # noqa: PLC0415 - only who rolls out pays for it

    return AnsibleRunner(
        playbooks=project.root / "playbooks",
        user=project.ssh_user,
        port=project.ssh_port,
        key=project.ssh_key,
        component_seconds=project.component_seconds,
        host_authority=project.host_authority,
    )
