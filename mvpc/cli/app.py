"""The root of the command line: global options, the table of commands, and the one place where errors become text."""

from __future__ import annotations

import errno
import signal
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Annotated, Any

import typer

from mvpc import __version__
from mvpc.cli.context import use_project
from mvpc.cli.lazy import LazyCommand, LazyGroup
from mvpc.cli.signals import Interrupted
from mvpc.errors import MvpcError
from mvpc.text import safe

COMMANDS = (
    LazyCommand("status", "mvpc.cli.status", "Show what we believe of a laptop or the fleet."),
    LazyCommand("plan", "mvpc.cli.plan", "Show who would change, what and why; touch nothing."),
    LazyCommand("rollout", "mvpc.cli.rollout", "Bring laptops to what their profiles say."),
    LazyCommand("device", "mvpc.cli.device", "Keep the inventory of laptops."),
    LazyCommand("profile", "mvpc.cli.profile", "Check, explain, compare and render profiles."),
    LazyCommand("catalogue", "mvpc.cli.catalogue", "See and check the software that profiles may choose."),
    LazyCommand("software", "mvpc.cli.software", "See what software really runs where."),
    LazyCommand("secret", "mvpc.cli.secret", "Store the secrets that profiles refer to."),
    LazyCommand("ca", "mvpc.cli.ca", "Keep the certificate authorities of laptops and logins."),
    LazyCommand("vpn", "mvpc.cli.vpn", "Write and check the gateway's side of the tunnels."),
    LazyCommand("image", "mvpc.cli.image", "Build images for laptops."),
    LazyCommand("lab", "mvpc.cli.lab", "Start and stop disposable laptops on this machine."),
)


_NOT_OURS = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT}
"""What the machine or its owner must mend: permissions, read-only and full disks. Anything else is a bug of mvpc."""


class RootGroup(LazyGroup):
    """The root command: turns every MvpcError into sentences and an exit code."""

    LAZY = COMMANDS

    def hint(self, word: str) -> str:
        """Where a command of that name is: nobody remembers whether `explain` belongs to profiles or devices."""
        groups = {command.name: getattr(command.load(), "commands", {}) for command in COMMANDS}
        found = [f"mvpc {name} {word}" for name, commands in groups.items() if word in commands]
        return f"There is: {', '.join(found)}" if found else ""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; whatever goes wrong becomes a message and an exit code, never a traceback."""
        try:
            return super().invoke(ctx)
        except MvpcError as error:
            _show(error)
            _show_notes(error)
            code = error.exit_code
        except KeyboardInterrupt as interrupt:
            typer.echo(f"{_own_line()}mvpc: {str(interrupt) or 'interrupted'}", err=True)
            _show_notes(interrupt)
            code = interrupt.exit_code if isinstance(interrupt, Interrupted) else 130
        except BrokenPipeError:
            sys.stderr.close()  # the reader of our output has gone; nothing is left to say to it
            code = 128 + signal.SIGPIPE
        except (typer.Exit, typer.Abort, typer.TyperException):
            raise
        except Exception as error:  # noqa: BLE001 - the last resort: a bug of ours must not look like the user's fault
            _show_unexpected(error)
            _show_notes(error)
            code = 1
        raise typer.Exit(code)


def _show(error: MvpcError) -> None:
    for problem in error.problems:
        typer.echo(f"mvpc: {safe(problem)}", err=True)
    if len(error.problems) > 1:
        typer.echo(f"mvpc: {len(error.problems)} problems, nothing was changed", err=True)


def _show_notes(error: BaseException) -> None:
    """What was added to the error on its way: how things stand now, and the next step (PEP 678)."""
    for note in getattr(error, "__notes__", ()):
        typer.echo(f"mvpc: {safe(note)}", err=True)


def _own_line() -> str:
    """Begins a new line on a terminal, which has just shown `^C`."""
    return "\n" if sys.stderr.isatty() else ""


def _show_unexpected(error: Exception) -> None:
    if isinstance(error, OSError) and error.errno in _NOT_OURS:
        full = error.errno in {errno.ENOSPC, errno.EDQUOT}
        step = "Free some space" if full else "Check owner and mode, or use the account that keeps this project"
        _show(MvpcError(error.strerror or str(error), where=str(error.filename or "output"), hint=step))
    else:
        _show_bug()


def _show_bug() -> None:
    with tempfile.NamedTemporaryFile(
        "w", prefix="mvpc-error-", suffix=".txt", delete=False, encoding="utf-8"
    ) as report:
        traceback.print_exc(file=report)
    typer.echo(
        f"mvpc: an error inside mvpc itself: {safe(sys.exception() or '', limit=200)}. Details: {report.name}. "
        "Please report it with that file, after reading it for anything confidential.",
        err=True,
    )


app = typer.Typer(
    cls=RootGroup,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"mvpc {__version__}")
        raise typer.Exit


@app.callback()
def root(
    project: Annotated[
        Path | None,
        typer.Option("--project", "-C", envvar="MVPC_PROJECT", help="Project folder; default: the current folder."),
    ] = None,
    version: Annotated[  # noqa: ARG001 - handled by its callback
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Keep a fleet of standard Linux laptops: inventory, profiles, rollouts, images, status."""
    use_project(project)
