"""What commands about identity share: the authorities of a project, and where their passphrase comes from."""

from __future__ import annotations

import stat
import sys
from getpass import getpass
from pathlib import Path

from mvpc.authorities import Authorities
from mvpc.cli.context import actor
from mvpc.editions import edition
from mvpc.errors import InputError, MvpcError
from mvpc.project import Project
from mvpc.secret import Secret
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
