"""Commands that are imported when they are called, so that `mvpc --help` stays quick."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from typer.core import TyperCommand
from typer.main import get_command


class LazyCommand(TyperCommand):
    """Stands for a Typer app in another module: known by name and help, loaded when it is used."""

    def __init__(self, name: str, module: str, summary: str) -> None:
        super().__init__(name, help=summary)
        self.module = module

    def load(self) -> Any:
        """The real command, under the name by which it is known here."""
        command = get_command(import_module(self.module).app)
        command.name = self.name
        return command

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Load the command and let it make the context: what is invoked afterwards is the context's command."""
        return self.load().make_context(info_name, args, parent=parent, **extra)
