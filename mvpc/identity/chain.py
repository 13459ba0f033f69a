"""The certificates above our own, as superior authorities hand them out: any format and order, checked one by one."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs7

from mvpc.identity.keys import fingerprint

_FORMATS: tuple[Callable[[bytes], list[x509.Certificate]], ...] = (
    x509.load_pem_x509_certificates,
    pkcs7.load_pem_pkcs7_certificates,
    pkcs7.load_der_pkcs7_certificates,
    lambda data: [x509.load_der_x509_certificate(data)],
)
"""OpenSSL writes PEM; Windows authorities write DER (.cer) and PKCS #7 (.p7b)."""


def read_chain(data: bytes, key: ec.EllipticCurvePublicKey, *, now: datetime) -> tuple[x509.Certificate, ...]:
    """The certificate of an authority with this key, and those above it up to one that certified itself.

    What else there is in the file does not matter. The checks are those of RFC 5280, 6.1, without revocation.

    Raises:
        ValueError: with the reason in words.
    """
    found = _certificates(data)
    chain = [_own(found, key)]
    while not _issued(chain[-1], by=chain[-1]):
        lower = chain[-1]
        upper = next((each for each in found if each not in chain and _issued(lower, by=each)), None)
        if upper is None:
            missing = lower.issuer.rfc4514_string()
            raise ValueError(f"the certificate of {missing} is missing, which issued {_name(lower)}")
        chain.append(upper)
    for below, each in enumerate(chain):
        _check(each, below, now=now)
    return tuple(chain)


def _certificates(data: bytes) -> list[x509.Certificate]:
    for read in _FORMATS:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # OpenSSL writes the certificates of PKCS #7 in no order
                if found := read(data):
                    return found
        except (ValueError, UnsupportedAlgorithm):
            continue
    raise ValueError("there is no certificate in it (PEM, DER or PKCS #7)")


def _own(found: Iterable[x509.Certificate], key: ec.EllipticCurvePublicKey) -> x509.Certificate:
    """The certificate for our key; one from a superior authority before one that we made ourselves."""
    own = [each for each in found if _is_for(each, key)]
    if not own:
        raise ValueError("none of its certificates is for the key of this authority")
    return min(own, key=lambda each: each.issuer == each.subject)


def _is_for(certificate: x509.Certificate, key: ec.EllipticCurvePublicKey) -> bool:
    try:
        return fingerprint(certificate.public_key()) == fingerprint(key)
    except (ValueError, UnsupportedAlgorithm):
        return False


def _issued(lower: x509.Certificate, *, by: x509.Certificate) -> bool:
    try:
        lower.verify_directly_issued_by(by)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _check(each: x509.Certificate, below: int, *, now: datetime) -> None:
    """Whether it may certify an authority that has `below` more authorities between itself and this one."""
    try:
        constraints = each.extensions.get_extension_for_class(x509.BasicConstraints).value
        usages = [part.value for part in each.extensions if isinstance(part.value, x509.KeyUsage)]
        if below == 0:
            each.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    except x509.ExtensionNotFound as missing:
        raise ValueError(f"{_name(each)} has no extension {missing.oid._name}") from None  # noqa: SLF001 - its name
    except ValueError:
        raise ValueError(f"the extensions of {_name(each)} cannot be read") from None
    if not constraints.ca or not all(usage.key_cert_sign for usage in usages):
        raise ValueError(f"{_name(each)} may not certify anybody (basicConstraints, keyUsage)")
    if constraints.path_length is not None and constraints.path_length < below:
        raise ValueError(f"{_name(each)} allows only {constraints.path_length} authorities below it (pathlen)")
    if not each.not_valid_before_utc <= now < each.not_valid_after_utc:
        raise ValueError(f"{_name(each)} is not valid today")


def _name(certificate: x509.Certificate) -> str:
    return certificate.subject.rfc4514_string()
