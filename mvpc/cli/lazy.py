"""Commands that are imported when they are called, so that none pays for what only others use."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command


class LazyCommand(TyperCommand):
    """Stands for a command in another module: known by its name, loaded when it is used.

    Args:
        name: as people type it.
        place: `module`, for the Typer app there, or `module:function`, for a command of its own.
        summary: its line in the list of commands; where there is none, it is loaded for that too.
    """

    def __init__(self, name: str, place: str, summary: str | None = None) -> None:
        super().__init__(name, help=summary)
        self.place = place

    def load(self) -> Any:
        """The real command, under the name by which it is known here."""
        module, _, function = self.place.partition(":")
        found = import_module(module)
        command = get_command(_alone(getattr(found, function)) if function else found.app)
        command.name = self.name
        return command

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Load the command and let it make the context: what is invoked afterwards is the context's command."""
        return self.load().make_context(info_name, args, parent=parent, **extra)

    def get_short_help_str(self, limit: int = 45) -> str:
        """Its line in the list of commands."""
        return super().get_short_help_str(limit) if self.help else str(self.load().get_short_help_str(limit))


class LazyGroup(TyperGroup):
    """A group of commands that are imported when they are called."""

    LAZY: ClassVar[Sequence[LazyCommand]] = ()
    """In the order in which people need them."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.commands = {**self.commands, **{command.name or "": command for command in self.LAZY}}

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command; for a word that is none, say what may have been meant."""
        if args and args[0] not in self.commands and not args[0].startswith("-") and (hint := self.hint(args[0])):
            ctx.fail(f"No such command {args[0]!r}. {hint}")
        return super().resolve_command(ctx, args)

    def hint(self, word: str) -> str:  # noqa: ARG002 - for those who know better
        """What to type instead of `word`; empty lets similar names be suggested."""
        return ""


def _alone(function: Any) -> typer.Typer:
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command()(function)
    return app
