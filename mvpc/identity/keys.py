"""Keys that are certified, and their fingerprints."""

from __future__ import annotations

import hashlib

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from mvpc.editions import CertificateRules

PublicKey = ec.EllipticCurvePublicKey
"""The only kind of key that is certified."""
CURVES: dict[str, type[ec.EllipticCurve]] = {"P-256": ec.SECP256R1, "P-384": ec.SECP384R1, "P-521": ec.SECP521R1}
"""Names in editions -> curves."""


def checked_key(key: PublicKeyTypes, rules: CertificateRules) -> ec.EllipticCurvePublicKey:
    """The key, if the edition accepts its kind; raises ValueError with the reason."""
    allowed = tuple(CURVES[name] for name in rules.accepted_curves)
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, allowed):
        return key
    raise ValueError(f"its key is too weak or of another kind; accepted: EC on {', '.join(rules.accepted_curves)}")


def fingerprint(key: PublicKeyTypes) -> str:
    """SHA-256 of the key as SubjectPublicKeyInfo in DER, hexadecimal."""
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()
