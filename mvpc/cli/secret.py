"""`mvpc secret`: store what profiles refer to. Values are read from the keyboard or standard input, never from argv."""

from __future__ import annotations

import os
import sys
import unicodedata
from getpass import getpass
from pathlib import Path
from typing import Annotated

import typer

from mvpc.cli.console import print_json, say
from mvpc.cli.context import current_project
from mvpc.cli.options import JsonOption
from mvpc.errors import InputError, MvpcError
from mvpc.secret import REFERENCE

app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def secret() -> None:
    """Store the secrets that profiles refer to."""


@app.command("set")
def set_secret(
    name: Annotated[str, typer.Argument(help="Name as in the profile, for example wifi/guest-psk.")],
) -> None:
    """Store one secret. Asks for it twice; from a pipe, reads one line."""
    if not REFERENCE.fullmatch(name):
        raise InputError(f"secret name {name!r} is not allowed", hint="Use lower-case words joined by /")
    project = current_project()
    value = _ask() if sys.stdin.isatty() else _first_line()
    _refuse_unusable(value)
    project.make_state()
    path = project.secrets / name
    try:
        for folder in (project.secrets, *reversed([p for p in path.parents if project.secrets in p.parents])):
            folder.mkdir(mode=0o700, exist_ok=True)
        _write(path, value)
    except (FileExistsError, IsADirectoryError, NotADirectoryError) as error:
        step = "A name cannot be a secret and a folder of secrets at once: mvpc secret list"
        raise InputError("a stored secret is in the way", where=name, hint=step) from error
    except OSError as error:
        raise MvpcError(f"the secret could not be stored ({error.strerror})", where=name) from error
    say(f"stored {name}")


@app.command("list")
def list_secrets(as_json: JsonOption = False) -> None:
    """Name the stored secrets. Values are never shown."""
    folder = current_project().secrets
    files = (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    names = sorted(str(path.relative_to(folder)) for path in files)
    if as_json:
        print_json({"secrets": names})
        return
    for name in names:
        say(name)
    if not names:
        say("0 secrets; store one with: mvpc secret set NAME")


def _ask() -> str:
    """Ask twice. Ctrl-C passes through as KeyboardInterrupt."""
    try:
        value = getpass("Secret: ")
        if getpass("Repeat it: ") == value:
            return value
    except EOFError:
        return ""
    raise InputError("the two are not the same, nothing was stored")


def _first_line() -> str:
    try:
        return sys.stdin.buffer.readline().decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError:  # its words and its context hold the secret
        pass
    raise InputError("the secret is not UTF-8 text, nothing was stored", hint="Give one line of text")


def _refuse_unusable(value: str) -> None:
    if not value:
        raise InputError("the secret is empty, nothing was stored")
    if any(unicodedata.category(character)[0] == "C" for character in value):
        raise InputError("the secret holds control or invisible characters, nothing was stored", hint="Type it anew")


def _write(path: Path, value: str) -> None:
    """Replace the file at once; the new one is never readable by others, not even while it is written."""
    temporary = path.with_name(f".{path.name}.new")  # no name of a secret begins with a dot
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(handle, "w", encoding="utf-8") as file:  # noqa: PTH123 - a descriptor, not a path
            file.write(value + "\n")
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
