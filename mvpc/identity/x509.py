"""X.509 (RFC 5280): the device authority, device certificates, the list of revoked ones.

What a device certificate holds comes from the inventory and from here, never from a request.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from mvpc.editions import CertificateRules
from mvpc.identity import SKEW
from mvpc.identity.keys import PublicKey, fingerprint
from mvpc.model import Certificate, CertificateKind, Device

DEVICE_LIFE = timedelta(days=90)
AUTHORITY_LIFE = timedelta(days=3652)
LIST_LIFE = timedelta(days=7)
"""Until then the next revocation list must be published; those who check strictly refuse everybody afterwards."""

_CURVES = {
    "P-256": bytes.fromhex("06082a8648ce3d030107"),
    "P-384": bytes.fromhex("06052b81040022"),
    "P-521": bytes.fromhex("06052b81040023"),
}
"""How the key in a certificate names its curve (RFC 5480, 2.1.1.1)."""
_HASHES: dict[str, hashes.SHA256 | hashes.SHA384 | hashes.SHA512] = {
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class DeviceAuthority:
    """The authority of device certificates, with its private key: only in memory."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate
    rules: CertificateRules
    crl_url: str = ""
    """Where the revocation list is published; empty: certificates do not say it."""

    def issue(self, device: Device, key: ec.EllipticCurvePublicKey, *, now: datetime) -> Certificate:
        """Certify a laptop's key (EAP-TLS, IKEv2: client authentication) under its names in the inventory."""
        serial = x509.random_serial_number()
        start = now.replace(microsecond=0) - SKEW
        end = min(start + DEVICE_LIFE, self.certificate.not_valid_after_utc)
        builder = self._builder(device, key).serial_number(serial).not_valid_before(start).not_valid_after(end)
        made = builder.sign(self.key, _HASHES[self.rules.hash])
        return Certificate(
            kind=CertificateKind.DEVICE,
            serial=f"{serial:x}",
            device=device.hostname,
            name=device.hostname,
            not_before=start,
            not_after=end,
            fingerprint=fingerprint(key),
            text=made.public_bytes(Encoding.PEM).decode(),
        )

    def _builder(self, device: Device, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        """All that the certificate says, but for its number and its time."""
        subject = x509.Name(
            [
                x509.NameAttribute(NameOID.COMMON_NAME, device.hostname),
                x509.NameAttribute(NameOID.SERIAL_NUMBER, device.serial),
            ]
        )
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.certificate.subject)
            .public_key(key)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(digital_signature=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(device.hostname)]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(self._own_identifier, critical=False)
        )
        return builder.add_extension(_distribution_point(self.crl_url), critical=False) if self.crl_url else builder

    def revocation_list(self, revoked: Iterable[Certificate], *, number: int, now: datetime) -> bytes:
        """The list of revoked device certificates in DER; it holds for a week."""
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.certificate.subject)
            .last_update(now)
            .next_update(now + LIST_LIFE)
            .add_extension(x509.CRLNumber(number), critical=False)
            .add_extension(self._own_identifier, critical=False)
        )
        for each in revoked:
            entry = x509.RevokedCertificateBuilder(int(each.serial, 16), each.revoked_at or now)
            builder = builder.add_revoked_certificate(entry.build())
        return builder.sign(self.key, _HASHES[self.rules.hash]).public_bytes(Encoding.DER)

    @property
    def _own_identifier(self) -> x509.AuthorityKeyIdentifier:
        own = self.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own)


def certified_key(pem: str) -> PublicKey:
    """The key of a device certificate that we issued."""
    key = x509.load_pem_x509_certificate(pem.encode()).public_key()
    assert isinstance(key, PublicKey)  # noqa: S101 - no other kind is ever certified
    return key


def curve_of(pem: str) -> str:
    """The curve of the key that a device certificate of ours is for. Reads nothing else: a plan asks it of a fleet."""
    der = base64.b64decode("".join(line for line in pem.splitlines() if "-----" not in line))
    return next(name for name, oid in _CURVES.items() if oid in der)


def certify_oneself(
    key: ec.EllipticCurvePrivateKey, name: str, rules: CertificateRules, *, now: datetime
) -> x509.Certificate:
    """The certificate of an authority that has no superior one."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    start = now.replace(microsecond=0) - SKEW
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + AUTHORITY_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(key_cert_sign=True, crl_sign=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, _HASHES[rules.hash])
    )


def authority_request(key: ec.EllipticCurvePrivateKey, name: str, rules: CertificateRules) -> str:
    """A request (PEM) to a superior authority, which asks for an authority that certifies devices alone."""
    made = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(key_cert_sign=True, crl_sign=True), critical=True)
        .sign(key, _HASHES[rules.hash])
    )
    return made.public_bytes(Encoding.PEM).decode()


def _usage(**named: bool) -> x509.KeyUsage:
    names = (
        *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
        *("key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
    )
    return x509.KeyUsage(**{name: named.get(name, False) for name in names})


def _distribution_point(url: str) -> x509.CRLDistributionPoints:
    place = [x509.UniformResourceIdentifier(url)]
    return x509.CRLDistributionPoints(
        [x509.DistributionPoint(full_name=place, relative_name=None, reasons=None, crl_issuer=None)]
    )
