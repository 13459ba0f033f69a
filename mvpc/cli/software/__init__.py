"""`mvpc software`: what really runs where."""

from __future__ import annotations

import typer

from mvpc.cli.software.asking import ask
from mvpc.cli.software.listing import sbom
from mvpc.cli.software.releasing import release
from mvpc.cli.software.reporting import report

app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def software() -> None:
    """See what software really runs on laptops, and whether it works; release versions that were proved."""


app.command()(ask)
app.command()(release)
app.command()(report)
app.command()(sbom)
