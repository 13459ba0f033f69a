"""Options and arguments that mean the same in every command."""

from __future__ import annotations

from typing import Annotated

import typer

from mvpc.cli.completing import laptops

LaptopArgument = Annotated[
    str,
    typer.Argument(
        help="Hostname, inventory number or serial, or how one begins.", metavar="laptop", autocompletion=laptops
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
