"""The laptops of a project: real ones over SSH and Ansible, or simulated ones. The only place that knows both."""

from __future__ import annotations

from collections.abc import Mapping

from mvpc.cli.context import now
from mvpc.project import Project
from mvpc.rollout import Prober, Runner
from mvpc.software import SoftwareQuestion


def prober(
    project: Project, *, updates: bool = False, software: Mapping[str, SoftwareQuestion] | None = None
) -> Prober:
    """Asks the laptops of this project how they are; with `updates`, also how many updates wait, which is dear.

    Args:
        project: whose laptops.
        updates: whether pending updates are counted.
        software: hostname -> what a laptop is asked about its software. Simulated ones have none.
    """
    if project.chances:
        from mvpc.simulated import Laptops, SimulatedProber  # noqa: PLC0415

        return SimulatedProber(laptops=Laptops(memory=project.memory, chances=project.chances), now=now)
    from mvpc.cli.trust import host_authority  # noqa: PLC0415 - loads paramiko
    from mvpc.ssh import SshProber  # noqa: PLC0415 - the same

    return SshProber(
        user=project.ssh_user,
        port=project.ssh_port,
        key=project.ssh_key,
        now=now,
        updates=updates,
        software=software or {},
        authority=host_authority(project),
    )


def runner(project: Project) -> Runner:
    """Converges the laptops of this project."""
    if project.chances:
        from mvpc.simulated import Laptops, SimulatedRunner  # noqa: PLC0415

        return SimulatedRunner(laptops=Laptops(memory=project.memory, chances=project.chances), now=now)
    from mvpc.playbook import AnsibleRunner  # noqa: PLC0415

    return AnsibleRunner(
        playbooks=project.root / "playbooks",
        user=project.ssh_user,
        port=project.ssh_port,
        key=project.ssh_key,
        component_seconds=project.component_seconds,
        host_authority=project.host_authority,
    )
