"""The commands that only look: list, show, export. They load no SQLAlchemy."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from mvpc.cli.console import print_json, print_table, say, terminal
from mvpc.cli.context import current_project, now
from mvpc.cli.device.words import as_words, event_data
from mvpc.cli.options import JsonOption, LaptopArgument
from mvpc.cli.words import count, local
from mvpc.errors import InputError, NotFoundError
from mvpc.inventory.export import to_csv, to_plain
from mvpc.model import Device, Filter, LifeCycle
from mvpc.organisation import Organisation, load_organisation
from mvpc.project import Project
from mvpc.store.read import Reader

Text = Annotated[str, typer.Argument(help="Part of a name, number, model, place or address.", show_default=False)]
InRessort = Annotated[str, typer.Option("--ressort", help="Only devices of this ressort, as it is cut today.")]
OfAuthority = Annotated[str, typer.Option("--authority", help="Only devices of this authority.")]
AtSite = Annotated[str, typer.Option("--site", help="Only devices at this site.")]
OfModel = Annotated[str, typer.Option("--model", help="Only devices with this in vendor and model.")]
InState = Annotated[LifeCycle | None, typer.Option("--state", help="Only devices in this state.")]
WithOs = Annotated[str, typer.Option("--os", help="Only devices with this system: debian, debian-13, windows.")]
_LISTED = ("hostname", "inventory_number", "model", "os", "workplace", "authority", "site", "room", "state")
_DISPENSABLE = ("model", "os", "workplace")
_WIDE = 100
"""Characters that a line of `list` needs with all its columns."""

AsCsv = Annotated[bool, typer.Option("--csv", help="Print CSV, as `mvpc device import` reads it.")]


def list_devices(
    text: Text = "",
    ressort: InRessort = "",
    authority: OfAuthority = "",
    site: AtSite = "",
    model: OfModel = "",
    state: InState = None,
    os: WithOs = "",
    as_json: JsonOption = False,
    as_csv: AsCsv = False,
) -> None:
    """List devices. Without a filter, all of them."""
    if as_json and as_csv:
        raise InputError("--json and --csv exclude each other", hint="Choose one")
    project = current_project()
    wanted = Filter(text=text, site=site, model=model, state=state, os=os)
    found = _selected(project, wanted, ressort=ressort, authority=authority)
    if as_json:
        print_json({"devices": [to_plain(device) for device in found]})
    elif as_csv:
        typer.echo(to_csv(found), nl=False)
    else:
        _show_list(found)


def export(
    file: Annotated[Path, typer.Argument(help="File to write; .json gives JSON, anything else CSV.")],
    text: Annotated[str, typer.Option("--text", help="Part of a name, number, model, place or address.")] = "",
    ressort: InRessort = "",
    authority: OfAuthority = "",
    site: AtSite = "",
    model: OfModel = "",
    state: InState = None,
    os: WithOs = "",
    bom: Annotated[bool, typer.Option(help="Mark the file as UTF-8, so that Excel shows umlauts.")] = True,
) -> None:
    """Write devices to a file that a spreadsheet opens safely and that can be imported again."""
    wanted = Filter(text=text, site=site, model=model, state=state, os=os)
    found = _selected(current_project(), wanted, ressort=ressort, authority=authority)
    try:
        if file.suffix.lower() == ".json":
            content = json.dumps({"devices": [to_plain(device) for device in found]}, indent=2) + "\n"
        else:
            content = to_csv(found, bom=bom)
        file.write_text(content, encoding="utf-8", newline="")
    except OSError as error:
        raise InputError(f"the file cannot be written ({error.strerror})", where=str(file)) from error
    say(f"{count(len(found), 'device')} written to {file}")


def show(laptop: LaptopArgument, as_json: JsonOption = False) -> None:
    """Show one device with its history."""
    project = current_project()
    with Reader(project.database) as records:
        found = records.find(laptop)
        history = records.events(found.hostname)
    ressort = _ressort(load_organisation(project.root), found)
    if as_json:
        print_json({"device": to_plain(found), "ressort": ressort, "history": [event_data(event) for event in history]})
        return
    facts = to_plain(found) | {"ressort": ressort}
    del facts["number"]  # our own key of the row, which no command takes
    print_table("", ("field", "value"), ((name.replace("_", " "), value) for name, value in facts.items()))
    rows = ((local(event.at), event.actor, event.action, as_words(event.changes)) for event in history)
    print_table("History, newest first", ("when", "who", "action", "what"), rows)


def _show_list(found: Sequence[Device]) -> None:
    """A table, on a narrow terminal without what `show` tells as well: names stay whole, so that they can be copied."""
    left_out = _DISPENSABLE if terminal().width < _WIDE else ()
    columns = [name for name in _LISTED if name not in left_out]
    title = count(len(found), "device") + (f", shown without {', '.join(left_out)}" if left_out and found else "")
    rows = [[getattr(device, name) for name in columns] for device in found]
    if not rows:
        say(title)
        return
    print_table(title, [name.replace("_", " ") for name in columns], rows)


def _selected(project: Project, wanted: Filter, *, ressort: str, authority: str) -> tuple[Device, ...]:
    if ressort or authority or wanted.site:
        organisation = load_organisation(project.root)
        codes = [frozenset(organisation.authorities_of(ressort, _today()))] if ressort else []
        codes += [frozenset({organisation.authority(authority).code})] if authority else []
        wanted = replace(
            wanted,
            authorities=frozenset.intersection(*codes) if codes else None,
            site=organisation.site(wanted.site).code if wanted.site else "",
        )
    with Reader(project.database) as records:
        return records.devices(wanted)


def _ressort(organisation: Organisation, found: Device) -> str:
    try:
        return organisation.ressort_of(found.authority, _today())
    except NotFoundError:
        return ""  # an authority that has been closed keeps its devices until they are moved


def _today() -> date:
    return now().astimezone().date()
