"""`mvpc device`: keep the inventory."""

from __future__ import annotations

import typer

from mvpc.cli.device import changing, identity, looking

app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def device() -> None:
    """Keep the inventory of laptops."""


app.command("list")(looking.list_devices)
app.command("show")(looking.show)
app.command("export")(looking.export)
app.command("add")(changing.add)
app.command("import")(changing.import_devices)
app.command("set")(changing.set_fields)
app.command("move")(changing.move)
app.command("retire")(changing.retire)
app.command("token")(identity.token)
app.command("enroll")(identity.enroll)
app.command("arrivals")(identity.arrivals)
app.command("desk")(identity.desk)
app.command("lost")(identity.lost)
app.command("migrate")(changing.migrate)
