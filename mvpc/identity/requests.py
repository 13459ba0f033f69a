"""Certificate requests (PKCS #10, RFC 2986) of laptops. Nothing of one is believed but its public key."""

from __future__ import annotations

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec

from mvpc.editions import CertificateRules
from mvpc.identity.keys import checked_key

MAX_BYTES = 8192
"""A request with one EC key has less than 1 KiB."""


def read_request(pem: str, hostname: str, rules: CertificateRules) -> ec.EllipticCurvePublicKey:
    """The public key that is to be certified.

    The names in a request are never copied; one that names somebody else is refused all the same, since it comes from
    the wrong laptop or from somebody who tries.

    Raises:
        ValueError: with the reason in words that quote nothing of the request.
    """
    if len(pem) > MAX_BYTES:
        raise ValueError("the certificate request is too long")
    try:
        request = x509.load_pem_x509_csr(pem.encode("ascii", errors="replace"))
        key = request.public_key()
        signed = request.is_signature_valid
        names = [str(each.value) for each in request.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)]
        wishes = {extension.oid for extension in request.extensions}
    except (ValueError, TypeError, UnsupportedAlgorithm, InvalidSignature, x509.DuplicateExtension):
        raise ValueError("the certificate request cannot be read") from None
    accepted = checked_key(key, rules)
    if not signed:
        raise ValueError("the certificate request is not signed by its own key")
    if names != [hostname] or len(request.subject.rdns) != 1:
        raise ValueError("the certificate request names another device")
    if wishes:
        raise ValueError("the certificate request asks for extensions")
    return accepted
