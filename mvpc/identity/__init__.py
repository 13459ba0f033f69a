"""Who a laptop is: enrolment tokens, requests, certificates, and the words that people compare.

Pure: keys, values and the moment come in as arguments; nothing here reads a file, the clock or the network.

    tokens    one-time tokens, of which only a hash is kept
    words     a fingerprint as six words for two screens
    keys      which keys are certified, and their fingerprints
    requests  certificate requests of laptops, none of which is trusted in anything but its key
    x509      device certificates, their authority and its revocation list (RFC 5280)
    ssh       host and user certificates (OpenSSH, PROTOCOL.certkeys)
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from mvpc.model import Certificate, CertificateKind

SKEW = timedelta(minutes=5)
"""So much may a laptop's clock be behind: certificates begin that much earlier."""


def current(certificates: Iterable[Certificate]) -> dict[tuple[str, CertificateKind], Certificate]:
    """(device, kind) -> its certificate that holds longest; those that were revoked do not count."""
    found = sorted((each for each in certificates if not each.revoked_at), key=lambda each: each.not_after)
    return {(each.device, each.kind): each for each in found}
