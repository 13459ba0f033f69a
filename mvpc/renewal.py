"""Renew certificates of laptops when two thirds of their life are over.

A renewal certifies the same key again, so no laptop has to be asked: the new certificate is a new file of its component
identity, which the next rollout brings like any other change. Only enrolment certifies a key for the first time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from mvpc.enrolment import DeviceSigner, HostSigner
from mvpc.identity import current, ssh, x509
from mvpc.model import ROLLED_OUT_STATES, Certificate, CertificateKind, Device


def due(devices: Iterable[Device], issued: Iterable[Certificate], *, now: datetime) -> list[tuple[Device, Certificate]]:
    """Certificates that should be renewed, with their laptops; those of laptops that are not in service are left out.

    One that ran out is due as well: the laptop that comes back after a long leave is still known by its host key. So is
    one that names a laptop as it was called before.
    """
    serving = {device.hostname: device for device in devices if device.state in ROLLED_OUT_STATES}
    return [
        (serving[name], found)
        for (name, kind), found in current(issued).items()
        if name in serving and kind is not CertificateKind.SSH_USER and (found.due <= now or found.name != name)
    ]


def renewed(
    wanted: Iterable[tuple[Device, Certificate]], devices: DeviceSigner, ssh_hosts: HostSigner, *, now: datetime
) -> list[Certificate]:
    """New certificates for the same keys."""
    return [
        replace(devices.issue(device, x509.certified_key(old.text), now=now), in_tpm=old.in_tpm)
        if old.kind is CertificateKind.DEVICE
        else ssh_hosts.issue_host(device.hostname, ssh.certified_key(old.text), now=now)
        for device, old in wanted
    ]
