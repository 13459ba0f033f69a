"""Certificates: what mvpc remembers of each one, and what a laptop is given of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum


class CertificateKind(StrEnum):
    """What a certificate is for. Each kind has a certificate authority of its own (CON.1.A4: one key, one purpose)."""

    DEVICE = "device"  #: X.509: who a laptop is, for EAP-TLS and IKEv2
    SSH_HOST = "ssh_host"  #: OpenSSH: a laptop towards those who log in
    SSH_USER = "ssh_user"  #: OpenSSH: a person or this controller towards laptops


class TpmRule(StrEnum):
    """Whether the keys that laptops make should be in their TPMs."""

    PREFER = "prefer"  #: in the TPM where there is one, else in a file
    REQUIRE = "require"  #: in the TPM, or not at all
    NEVER = "never"  #: in a file


@dataclass(frozen=True, kw_only=True, slots=True)
class Certificate:
    """One certificate that was issued. Nothing in it is secret."""

    kind: CertificateKind
    serial: str
    """Its number, hexadecimal, lower case; unique within its kind."""
    device: str = ""
    """Hostname; empty for a user certificate."""
    name: str
    """Whom it names: hostname of the laptop, account of a user."""
    not_before: datetime
    not_after: datetime
    fingerprint: str
    """SHA-256 of the certified public key as SubjectPublicKeyInfo in DER, hexadecimal: renewals keep it."""
    text: str
    """The certificate as it is installed: PEM, or one line of OpenSSH's format."""
    in_tpm: bool = False
    """Whether its private key is in the TPM of the laptop. The laptop said so; nothing has proven it."""
    revoked_at: datetime | None = None
    reason: str = ""

    @property
    def due(self) -> datetime:
        """When it should be renewed: at two thirds of its life."""
        return self.not_before + (self.not_after - self.not_before) * 2 / 3

    def holds(self, now: datetime) -> bool:
        """Whether it is valid at that moment, as far as we know."""
        return self.revoked_at is None and self.not_before <= now < self.not_after


@dataclass(frozen=True, kw_only=True, slots=True)
class Token:
    """What allows one laptop to be enrolled once. The token itself is known only to the person it was shown to."""

    id: int = 0
    device: str
    hash: str
    """SHA-256 of the token, hexadecimal."""
    serial: str
    """Serial number of the laptop when the token was made."""
    ressort: str
    """Its ressort when the token was made."""
    expires: datetime
    used_at: datetime | None = None


TOKEN_LIFE = timedelta(minutes=60)
"""The longest life of a token."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Arrival:
    """A new laptop that came to the desk with its token, and waits for a person to compare its key."""

    device: str
    """Hostname."""
    request: str
    """Certificate request in PEM, as hostile as the laptop."""
    serial: str
    """Its serial number, as it says and as the request names it."""
    generation: int
    host_key: str
    """With which it logged in at the desk, one line: that it holds the private one was proven."""
    address: str
    """Where it came from."""
    at: datetime
    no_tpm: str = ""
    """Why its key is in no TPM, in its own words; empty when it is in one, as it says."""

    def too_old(self, now: datetime) -> bool:
        """Whether nobody compared its key for so long that it must come again."""
        return now >= self.at + TOKEN_LIFE


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity:
    """What one enrolled laptop holds beside its own private keys. Public data only."""

    serial: str
    """Serial number of the device certificate."""
    until: datetime
    """When the first of its certificates ends."""
    device_certificate: str
    """PEM."""
    device_authorities: str
    """PEM: the chain from the issuer of the device certificate upwards."""
    host_certificate: str
    """One line, as in `ssh_host_ecdsa_key-cert.pub`."""
    user_authority: str
    """Public key of the authority whose user certificates the laptop's sshd accepts, one line."""
    tpm_curve: str = ""
    """The curve of its private key in the TPM, as NIST calls it; empty when the key is in a file."""
    trusted: Mapping[str, str] = field(default_factory=dict)
    """Name -> PEM of more authorities that the laptop is to know, such as that of the RADIUS server."""

    @property
    def inputs(self) -> dict[str, str]:
        """What a plan explains changes with."""
        return {
            "identity.certificate": self.serial[:16],
            "identity.until": f"{self.until:%Y-%m-%d}",
            "identity.trusted": " ".join(sorted(self.trusted)),
            "identity.key": "TPM" if self.tpm_curve else "file",
        }
