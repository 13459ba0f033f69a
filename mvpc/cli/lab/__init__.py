"""`mvpc lab`: disposable laptops on this machine, entered in the inventory like any others."""

from __future__ import annotations

import typer

from mvpc.cli.lab import infrastructure, laptops, screens, simulating

app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def lab() -> None:
    """Start and stop disposable laptops on this machine: real systemd, sshd, NetworkManager and apt."""


app.command("up")(laptops.up)
app.command("list")(laptops.list_laptops)
app.command("off")(laptops.off)
app.command("on")(laptops.on)
app.command("gateway")(infrastructure.gateway)
app.command("air")(infrastructure.air)
app.command("down")(laptops.down)
app.command("desktop")(screens.desktop)
app.command("simulate")(simulating.simulate)
