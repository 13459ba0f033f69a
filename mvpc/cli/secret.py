"""`mvpc secret`: store what profiles refer to. Values are read from the keyboard or standard input, never from argv."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from mvpc.cli.console import print_json, say
from mvpc.cli.context import current_project
from mvpc.errors import InputError, SecretError
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
    value = _ask() if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
    if not value:
        raise InputError("the secret is empty, nothing was stored")
    project = current_project()
    project.make_state()
    path = project.secrets / name
    for folder in (project.secrets, *reversed([p for p in path.parents if project.secrets in p.parents])):
        folder.mkdir(mode=0o700, exist_ok=True)
    _write(path, value)
    say(f"stored {name}")


@app.command("list")
def list_secrets(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Name the stored secrets. Values are never shown."""
    folder = current_project().secrets
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    if as_json:
        print_json({"secrets": names})
        return
    for name in names:
        say(name)


def _ask() -> str:
    value: str = typer.prompt("Secret", hide_input=True, confirmation_prompt=True)
    return value


def _write(path: os.PathLike[str], value: str) -> None:
    """Replace the file at once; the new one is never readable by others, not even while it is written."""
    temporary = f"{os.fspath(path)}.new"
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(handle, "w", encoding="utf-8") as file:  # noqa: PTH123 - a descriptor, not a path
            file.write(value + "\n")
        os.replace(temporary, path)  # noqa: PTH105 - both are plain strings here
    except OSError as error:
        raise SecretError(f"the secret could not be stored ({error.strerror})") from error
