"""What enrolled laptops are given: their current certificates beside what all of them trust."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mvpc.identity import current
from mvpc.identity.x509 import curve_of
from mvpc.model import Certificate, CertificateKind, Identity


def given(
    issued: Iterable[Certificate], *, device_authorities: str, user_authority: str, trusted: Mapping[str, str]
) -> dict[str, Identity]:
    """Hostname -> identity, of laptops that have both a device certificate and a host certificate."""
    found = current(issued)
    pairs = {
        device: (certificate, found.get((device, CertificateKind.SSH_HOST)))
        for (device, kind), certificate in found.items()
        if kind is CertificateKind.DEVICE
    }
    return {
        device: Identity(
            serial=own.serial,
            until=min(own.not_after, host.not_after),
            device_certificate=own.text,
            device_authorities=device_authorities,
            host_certificate=host.text,
            user_authority=user_authority,
            tpm_curve=curve_of(own.text) if own.in_tpm else "",
            trusted=trusted,
        )
        for device, (own, host) in pairs.items()
        if host
    }
