"""OpenSSH certificates (PROTOCOL.certkeys): hosts towards users, users towards hosts."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    SSHCertificate,
    SSHCertificateBuilder,
    SSHCertificateType,
    load_ssh_public_identity,
    load_ssh_public_key,
)

from mvpc.editions import CertificateRules
from mvpc.identity import SKEW
from mvpc.identity.keys import checked_key, fingerprint
from mvpc.model import Certificate, CertificateKind

HOST_LIFE = timedelta(days=90)
USER_LIFE = timedelta(hours=8)
"""A working day (OPS.1.2.5.A17: what lets somebody in must not lie about for long)."""
REVOKED = "its host certificate was revoked"
_FAR = 2**33
"""The latest moment that is shown; "for ever" is 2**64 - 1."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SshAuthority:
    """An authority of SSH certificates, with its private key: only in memory."""

    key: ec.EllipticCurvePrivateKey
    rules: CertificateRules

    def issue_host(self, hostname: str, public_key: str, *, now: datetime) -> Certificate:
        """Certify a laptop's host key (one line, as in known_hosts) for its hostname.

        Raises:
            ValueError: the key is none, or of a kind that the edition does not accept.
        """
        draft = _Draft(CertificateKind.SSH_HOST, hostname, now, HOST_LIFE)
        return self._issue(draft, read_public_key(public_key, self.rules), options={})

    def issue_user(
        self,
        account: str,
        public_key: str,
        *,
        now: datetime,
        life: timedelta = USER_LIFE,
        sources: Iterable[str] = (),
    ) -> Certificate:
        """Certify a person's key for one account, without any forwarding; `sources` are networks to come from.

        Raises:
            ValueError: the key is none, or of a kind that the edition does not accept.
        """
        options = {"source-address": ",".join(sources)} if sources else {}
        draft = _Draft(CertificateKind.SSH_USER, account, now, life)
        return self._issue(draft, read_public_key(public_key, self.rules), options=options)

    def _issue(self, draft: _Draft, key: ec.EllipticCurvePublicKey, *, options: dict[str, str]) -> Certificate:
        serial = secrets.randbits(63)
        start = draft.now.replace(microsecond=0) - SKEW
        end = start + draft.life
        host = draft.kind is CertificateKind.SSH_HOST
        builder = (
            SSHCertificateBuilder()
            .public_key(key)
            .serial(serial)
            .type(SSHCertificateType.HOST if host else SSHCertificateType.USER)
            .key_id(f"mvpc {draft.kind} {draft.name} {serial:x}".encode())
            .valid_principals([draft.name.encode()])
            .valid_after(int(start.timestamp()))
            .valid_before(int(end.timestamp()))
        )
        for option, value in options.items():
            builder = builder.add_critical_option(option.encode(), value.encode())
        if not host:
            builder = builder.add_extension(b"permit-pty", b"")
        return Certificate(
            kind=draft.kind,
            serial=f"{serial:x}",
            device=draft.name if host else "",
            name=draft.name,
            not_before=start,
            not_after=end,
            fingerprint=fingerprint(key),
            text=builder.sign(self.key).public_bytes().decode(),
        )


@dataclass(frozen=True, slots=True)
class _Draft:
    """What a certificate will say."""

    kind: CertificateKind
    name: str
    now: datetime
    life: timedelta


def outdated(certificate: str, *, now: datetime) -> bool:
    """Whether a certificate is none, or does not hold at that moment."""
    try:
        found = load_ssh_public_identity(" ".join(certificate.split()[:2]).encode("ascii", errors="replace"))
    except (ValueError, UnsupportedAlgorithm):
        return True
    return not (isinstance(found, SSHCertificate) and found.valid_after <= now.timestamp() < found.valid_before)


def public_line(key: ec.EllipticCurvePublicKey) -> str:
    """A public key as one line of OpenSSH's format, without comment."""
    return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def certified_key(certificate: str) -> str:
    """The key of a certificate that we issued, as one line."""
    found = load_ssh_public_identity(certificate.encode())
    assert isinstance(found, SSHCertificate)  # noqa: S101 - it is our own
    return found.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def read_public_key(line: str, rules: CertificateRules) -> ec.EllipticCurvePublicKey:
    """The key of a line as in known_hosts or a .pub file; raises ValueError with the reason in words."""
    try:
        key = load_ssh_public_key(" ".join(line.split()[:2]).encode("ascii", errors="replace"))
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("this is no public SSH key") from None
    return checked_key(key, rules)


def distrust(certificate: str, authority: str, hostname: str, revoked: Collection[str], *, now: datetime) -> str:
    """Why a host certificate does not prove that this is `hostname`; empty when it does.

    Args:
        certificate: as the host presented it: kind and base64 text, one line.
        authority: public key of the authority of host certificates, one line.
        hostname: whom we wanted to reach.
        revoked: serial numbers that were revoked, hexadecimal.
        now: the moment that counts.
    """
    try:
        presented = load_ssh_public_identity(certificate.encode("ascii", errors="replace"))
        trusted = load_ssh_public_key(authority.encode())
        if not isinstance(presented, SSHCertificate):
            return "it presents no certificate"
        signer = presented.signature_key()
        presented.verify_cert_signature()
    except (ValueError, UnsupportedAlgorithm, InvalidSignature):
        return "its host certificate cannot be read, or its signature is wrong"
    until = datetime.fromtimestamp(min(presented.valid_before, _FAR), tz=UTC)
    reasons = {
        "its host certificate is from another authority": fingerprint(signer) != fingerprint(trusted),
        "its certificate is not one for hosts": presented.type is not SSHCertificateType.HOST,
        REVOKED: f"{presented.serial:x}" in revoked,
        "its host certificate has conditions that we do not know": bool(presented.critical_options),
        "its host certificate is for another device": hostname.encode() not in presented.valid_principals,
        f"its host certificate is not valid now (until {until:%Y-%m-%d})": not (
            presented.valid_after <= now.timestamp() < presented.valid_before
        ),
    }
    return next((reason for reason, holds in reasons.items() if holds), "")
