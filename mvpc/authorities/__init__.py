"""The certificate authorities of one project on disk: keys that are encrypted, certificates, lists of revocations.

folder    the three authorities: make, open, replace a certificate
keyfiles  private keys as PEM under a passphrase (PBES2 with scrypt)
handover  the site's own program that brings them to who checks
publish   CRL (RFC 5280) and KRL (ssh-keygen(1)) for those who check
"""

from mvpc.authorities.folder import AUTHORITIES, Authorities
from mvpc.authorities.handover import hand_over
from mvpc.authorities.publish import publish

__all__ = ["AUTHORITIES", "Authorities", "hand_over", "publish"]
