"""What the terminal shows. Every text that passes through here is made safe; Rich markup is off for data."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import zip_longest
from typing import Any

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mvpc.cli.context import is_simulated
from mvpc.text import safe

_YES = {"y", "yes", "j", "ja"}

OK, WARN, BAD, DIM = "green", "yellow", "red", "dim"


def say(*parts: object, style: str = "", err: bool = False) -> None:
    """Print one line; a `style` colours it when the output is a terminal, which breaks it between words."""
    console = terminal(err=err)
    console.print(Text(" ".join(safe(part) for part in parts), style=style), soft_wrap=not console.is_terminal)


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table of plain text under its title, or under an empty line; without rows, the title alone.

    Columns in which nothing stands are left out. Narrow terminals fold cells; a pipe gets the full width.
    """
    cells = [[cell if isinstance(cell, Text) else Text(safe(cell)) for cell in row] for row in rows]
    if title or cells:
        typer.echo(safe(title))
    if not cells:
        return
    used = [at for at in range(len(columns)) if at == 0 or any(row[at].plain for row in cells)]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for at in used:
        table.add_column(Text(safe(columns[at])), overflow="fold", no_wrap=at == 0)  # what a row is about stays whole
    for row in cells:
        table.add_row(*(row[at] for at in used))
    console = terminal()
    with console.capture() as drawn:
        console.print(table)
    for line in drawn.get().splitlines():
        typer.echo(line.rstrip())


def print_beside(lines: Sequence[tuple[str, str, str]]) -> None:
    """Print lines of text, place and style, the places in a column of their own.

    On a terminal that is too narrow for that, each place stands at the right edge: of its line, or of the next one.
    """
    console = terminal()
    column = max((len(safe(text)) for text, _, _ in lines), default=0) + 5
    fits = not console.is_terminal or all(column + len(safe(place)) <= console.width for _, place, _ in lines)
    for text, place, style in lines:
        if fits:
            say(f"{safe(text):{column}}{safe(place)}", style=style)
        elif len(safe(text)) + 2 + len(safe(place)) <= console.width:
            say(safe(text) + f"{safe(place):>{console.width - len(safe(text))}}", style=style)
        else:
            say(text, style=style)
            say(f"{safe(place):>{console.width}}", style=style)


def draw_code(modules: Sequence[Sequence[bool]]) -> None:
    """Draw a QR code with two rows to a line. Without colours it is left out: it would be light where it must be dark.

    Both colours are set, so that it can be scanned from terminals with a dark and with a light background.
    """
    console = terminal()
    if console.color_system is None:
        return
    for upper, lower in zip_longest(modules[::2], modules[1::2], fillvalue=[False] * len(modules[0])):
        line = "".join(_HALVES[pair] for pair in zip(upper, lower, strict=True))
        console.print(Text(line, style="#ffffff on #000000"))


_HALVES = {(True, True): " ", (False, True): "▀", (True, False): "▄", (False, False): "█"}
"""Whether the upper and the lower half are dark -> the character whose ink is what is light."""


def print_json(data: Any) -> None:
    """Print data as JSON with ASCII escapes, so that no byte of it can steer a terminal.

    Maps from a simulated fleet begin with `"simulated": true`.
    """
    if is_simulated() and isinstance(data, dict):
        data = {"simulated": True} | data
    typer.echo(json.dumps(data, indent=2, ensure_ascii=True, default=plain))


def plain(value: object) -> str:
    """What JSON has no form for: times in ISO 8601, all else as its words."""
    return value.isoformat(timespec="milliseconds") if isinstance(value, datetime) else str(value)


def confirm(question: str) -> bool:
    """Ask a yes-or-no question. No answer (closed input) means no; Ctrl-C passes through as KeyboardInterrupt."""
    typer.echo(f"{question} [y/N] ", nl=False)
    try:
        answer = input()
    except EOFError:
        typer.echo()  # the question must not share its line with what comes next
        return False
    return answer.strip().casefold() in _YES


def terminal(*, err: bool = False) -> Console:
    """A console that shows data as it is; wide where the output is no terminal, since nothing must be cut there."""
    console = _Terminal(stderr=err, markup=False, highlight=False, emoji=False)
    if not console.is_terminal:
        console.width = 200
    return console


class _Terminal(Console):
    def on_broken_pipe(self) -> None:
        """Whoever reads the output has gone. Rich would exit with 1, which means that something failed."""
        raise BrokenPipeError
