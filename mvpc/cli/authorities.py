"""What commands about identity share: the authorities of a project, and where their passphrase comes from."""

from __future__ import annotations

import stat
import sys
from collections.abc import Sequence
from getpass import getpass
from pathlib import Path

from mvpc.authorities import Authorities, hand_over, publish
from mvpc.cli.console import BAD, say
from mvpc.cli.context import actor, now
from mvpc.editions import edition
from mvpc.errors import InputError, MvpcError
from mvpc.model import Certificate, Device
from mvpc.project import Project
from mvpc.renewal import due, renewed
from mvpc.secret import Secret
from mvpc.store.read import Reader
from mvpc.store.register import Register


def authorities(project: Project, *, new: bool = False) -> Authorities:
    """The authorities of a project. For `new` ones the passphrase is asked for twice."""
    return Authorities(
        folder=project.authorities,
        rules=edition(project.crypto).certificates,
        crl_url=project.crl_url,
        ask=lambda: _passphrase(project.passphrase_file, new=new),
    )


def register(project: Project) -> Register:
    """The register of certificates, opened for writing."""
    return Register(project.database, actor=actor())


def revoked(project: Project) -> tuple[Certificate, ...]:
    """All certificates that were revoked; none without a database."""
    if not project.database.is_file():
        return ()
    with Reader(project.database) as reader:
        return reader.revoked()


def renew(project: Project, devices: Sequence[Device]) -> int:
    """Renew what is due of these laptops; returns how many certificates that were. Asks for nothing when none is."""
    with Reader(project.database) as reader:
        wanted = due(devices, reader.current_certificates([device.hostname for device in devices]), now=now())
    if wanted:
        signers = authorities(project)
        made = renewed(wanted, signers.devices, signers.ssh_hosts, now=now())
        register(project).record(made, at=now(), action="renew")
    return len(wanted)


def publish_revocations(project: Project, *, of: str = "") -> list[Path]:
    """Publish the lists and hand them over; says what is left to do when that does not work. Returns what was written.

    Args:
        project: whose lists.
        of: hostname of the laptop that was revoked, if it was one.

    Raises:
        MvpcError: what is revoked stands in the register, but not yet in every list, or not everywhere.
    """
    try:
        written = publish(authorities(project), revoked(project), project.publish, now=now())
    except MvpcError:
        if of:
            what = "Revoked in the register, but not every list could be published. Run: mvpc ca publish"
            say(what, style=BAD, err=True)
        raise
    if project.publish_hook:
        hand_over(project.publish_hook, project.root, project.publish, of)
    return written


def _passphrase(file: Path | None, *, new: bool) -> Secret:
    if file is not None:
        return _first_line(file)
    if not sys.stdin.isatty():
        hint = "Name a file that only you may read in mvpc.toml: [identity] passphrase_file"
        raise InputError("the passphrase of the authorities can only be asked for on a terminal", hint=hint)
    try:
        passphrase = getpass("Passphrase of the certificate authorities: ")
        if not new or getpass("Repeat it: ") == passphrase:
            return Secret(passphrase)
    except EOFError as error:
        raise InputError("no passphrase was given") from error
    raise InputError("the two are not the same, nothing was made")


def _first_line(file: Path) -> Secret:
    try:
        mode = file.stat().st_mode
        text = file.read_text(encoding="utf-8").partition("\n")[0]
    except (OSError, UnicodeDecodeError) as error:
        raise MvpcError("the passphrase file cannot be read", where=str(file)) from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise InputError("the passphrase file is readable by others", where=str(file), hint=f"Run: chmod 600 {file}")
    return Secret(text)
