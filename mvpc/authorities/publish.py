"""Lists of what is revoked, as files that a web server or a copy job hands on."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from mvpc.authorities.folder import AUTHORITIES, Authorities
from mvpc.errors import MvpcError
from mvpc.model import Certificate, CertificateKind


def publish(authorities: Authorities, revoked: Iterable[Certificate], folder: Path, *, now: datetime) -> list[Path]:
    """Write `devices.crl` and a KRL for each SSH authority, beside what they are checked with.

    The KRLs come first: they need no private key, so no passphrase can keep them back.

    Raises:
        MvpcError: the folder cannot be written, or ssh-keygen does not work.
        InputError: the passphrase is wrong; the KRLs are published then, the CRL is the old one.
    """
    current = [each for each in revoked if each.revoked_at and each.not_after > now]
    number = int(now.timestamp())
    written: list[Path] = []
    try:
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        for name in ("ssh-hosts", "ssh-users"):
            serials = [int(each.serial, 16) for each in current if each.kind is AUTHORITIES[name]]
            written.append(_replace(folder / f"{name}.pub", f"{authorities.public_key(name)}\n".encode()))
            written.append(_key_revocation_list(folder / f"{name}.krl", folder / f"{name}.pub", serials, number))
        written.append(_replace(folder / "devices.pem", authorities.chain_pem.encode()))
        listed = [each for each in current if each.kind is CertificateKind.DEVICE]
        crl = authorities.devices.revocation_list(listed, number=number, now=now)
        written.append(_replace(folder / "devices.crl", crl))
    except OSError as error:
        raise MvpcError(f"the lists cannot be published ({error.strerror})", where=str(folder)) from error
    return written


def _key_revocation_list(path: Path, authority: Path, serials: list[int], number: int) -> Path:
    """A KRL by serial number (ssh-keygen(1), KEY REVOCATION LISTS)."""
    fresh = path.with_name(f".{path.name}.new")
    argv = ["ssh-keygen", "-q", "-k", "-f", str(fresh), "-s", str(authority), "-z", str(number), "-"]
    wanted = "".join(f"serial: {serial}\n" for serial in sorted(serials))
    try:
        done = subprocess.run(argv, input=wanted, capture_output=True, text=True, check=False, timeout=120)
    except FileNotFoundError as error:
        hint = "Install the Debian package openssh-client"
        raise MvpcError("ssh-keygen cannot be started", hint=hint) from error
    if done.returncode != 0:
        raise MvpcError(f"ssh-keygen could not write a KRL ({done.stderr.strip()[:200]})", where=str(path))
    fresh.chmod(0o644)
    fresh.replace(path)
    return path


def _replace(path: Path, content: bytes) -> Path:
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_bytes(content)
    fresh.chmod(0o644)
    fresh.replace(path)
    return path
