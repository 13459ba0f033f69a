"""Write the generated part of the reference: `make docs`. Tests keep the result current."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docs.profile_keys import profile_keys
from docs.project_keys import project_keys

HEAD = """# Command line

Generated from the program by `make docs`. Exit codes are in [exit-codes.md](exit-codes.md).
"""


def cli_reference() -> str:
    """The help of every command, as one Markdown page."""
    os.environ |= {"COLUMNS": "100", "TERMINAL_WIDTH": "100", "NO_COLOR": "1"}
    from mvpc.cli.app import app  # noqa: PLC0415 - Typer reads the width when it is imported

    pages = [f"## `{name}`\n\n```text\n{_help(command, name)}\n```\n" for name, command in commands(app)]
    return "\n".join([HEAD, *pages])


def commands(app: Any) -> Iterator[tuple[str, Any]]:
    """Full name and command object of the program and everything below it."""
    from typer.main import get_command  # noqa: PLC0415

    yield from _walk("mvpc", get_command(app))


def _walk(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    loaded = command.load() if hasattr(command, "load") else command
    yield name, loaded
    if hasattr(loaded, "list_commands"):
        context = loaded.context_class(loaded)
        for child in loaded.list_commands(context):
            yield from _walk(f"{name} {child}", loaded.get_command(context, child))


def _help(command: Any, name: str) -> str:
    context = command.context_class(command, info_name=name)
    context.terminal_width = context.max_content_width = 100
    return "\n".join(line.rstrip() for line in command.get_help(context).strip().splitlines())


if __name__ == "__main__":
    reference = Path(__file__).parent / "reference"
    (reference / "cli.md").write_text(cli_reference(), encoding="utf-8")
    (reference / "profile-keys.md").write_text(profile_keys(), encoding="utf-8")
    (reference / "project-keys.md").write_text(project_keys(), encoding="utf-8")
