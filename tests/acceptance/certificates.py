"""Throw-away certificate authorities for tests that need to know both the right and the wrong one."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384", "-nodes")


@dataclass(frozen=True)
class Certificate:
    """A certificate with its key, as PEM files."""

    certificate: Path
    key: Path


def authority(folder: Path, name: str) -> Certificate:
    """A new authority, P-384, valid for two days."""
    made = Certificate(folder / f"{name}.pem", folder / f"{name}.key")
    out = ("-keyout", made.key, "-out", made.certificate)
    _openssl("req", "-x509", *_NEW_KEY, *out, "-days", "2", "-subj", f"/CN={name}")
    return made


def issue(issuer: Certificate, folder: Path, name: str, *, usage: str, subject: str, days: int = 2) -> Certificate:
    """A new certificate of this authority for a name or an address; `usage` is serverAuth or clientAuth.

    One for no days has expired.
    """
    made = Certificate(folder / f"{name}.pem", folder / f"{name}.key")
    request, extensions = folder / f"{name}.csr", folder / f"{name}.ext"
    kind = "IP" if subject.replace(".", "").isdecimal() else "DNS"
    extensions.write_text(f"subjectAltName={kind}:{subject}\nextendedKeyUsage={usage}\nbasicConstraints=CA:FALSE\n")
    _openssl("req", *_NEW_KEY, "-keyout", made.key, "-out", request, "-subj", f"/CN={subject}")
    signing = ("-CA", issuer.certificate, "-CAkey", issuer.key, "-CAcreateserial", "-extfile", extensions)
    _openssl("x509", "-req", "-in", request, *signing, "-days", str(days), "-out", made.certificate)
    return made


def _openssl(*arguments: str | Path) -> None:
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
