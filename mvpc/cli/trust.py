"""Whom this controller believes to be a laptop: the authority of host certificates, and what it revoked."""

from __future__ import annotations

from mvpc.cli.context import now
from mvpc.model import CertificateKind
from mvpc.project import Project
from mvpc.ssh import HostAuthority
from mvpc.store.read import Reader


def host_authority(project: Project) -> HostAuthority | None:
    """The project's own authority; None as long as there is none."""
    line = project.host_authority
    if not line:
        return None
    with Reader(project.database) as reader:
        revoked = [each.serial for each in reader.revoked() if each.kind is CertificateKind.SSH_HOST]
    return HostAuthority(public_key=line, revoked=frozenset(revoked), now=now)
