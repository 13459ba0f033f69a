"""The commands that change the inventory. Every change is checked like a row of an import and goes into the history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mvpc.cli.completing import laptops
from mvpc.cli.console import confirm, print_json, say
from mvpc.cli.context import actor, current_project, now
from mvpc.cli.device.words import as_words, difference_data, show_import
from mvpc.cli.options import LaptopArgument
from mvpc.cli.words import count
from mvpc.errors import InputError, Problem
from mvpc.inventory.columns import TITLES, field_of
from mvpc.inventory.difference import ImportDifference, difference
from mvpc.inventory.entries import Entry, Known, devices_of
from mvpc.inventory.reading import read_devices
from mvpc.model import Device, LifeCycle
from mvpc.organisation import load_organisation, nearest
from mvpc.project import Project
from mvpc.store.read import Reader

if TYPE_CHECKING:
    from mvpc.store.write import Store

Laptops = Annotated[list[str], typer.Argument(help="Hostnames, inventory numbers or serials.", autocompletion=laptops)]

Assignments = Annotated[
    list[str],
    typer.Argument(metavar="FIELD=VALUE...", help=f"For example room=214. Fields: {', '.join(TITLES)}."),
]

_NAMES = {name: name for name in TITLES}
"""On the command line, fields go by their own names."""


def add(assignments: Assignments) -> None:
    """Add one device. It needs inventory_number, hostname, serial, authority and site."""
    project = current_project()
    known = _known(project)
    texts = _fields(assignments)
    number = texts.get("inventory_number", "")
    if any(device.inventory_number.casefold() == number.casefold() for device in known.devices):
        raise InputError(
            f"inventory number {number!r} is taken", hint=f"To change that device: mvpc device set {number} FIELD=VALUE"
        )
    entry = Entry(where="", titles=_NAMES, texts=texts)
    _save(project, difference(known.devices, devices_of([entry], known)), action="add")


def import_devices(
    file: Annotated[Path, typer.Argument(help="CSV file; encoding, delimiter and language are found out.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would change.")] = False,
    ignore: Annotated[list[str] | None, typer.Option(help="Column to leave out; may be repeated.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the difference as JSON.")] = False,
) -> None:
    """Import devices from a spreadsheet: all rows or none. Shows the difference and asks.

    A row with a known inventory number changes that device; an empty cell leaves what is there.
    """
    if as_json and not (yes or dry_run):
        raise InputError("--json asks no questions", hint="Add --yes or --dry-run")
    project = current_project()
    known = _known(project, writing=not dry_run)
    found = read_devices(_content(file), file=str(file), known=known, ignore=ignore or ())
    if as_json:
        print_json(difference_data(found))
    else:
        show_import(found, file)
    if dry_run or not found.difference:
        return
    if not yes and not confirm("Import?"):
        say("Nothing was imported.", err=True)
        raise typer.Exit(1)
    _store(project).save(found.difference, actor=actor(), at=now(), action="import")
    if not as_json:
        say(f"{count(len(found.difference.new) + len(found.difference.changed), 'device')} imported")


def set_fields(laptop: LaptopArgument, assignments: Assignments) -> None:
    """Change fields of one device. `room=` empties a field."""
    given = _fields(assignments)
    project = current_project()
    known = _known(project)
    _change(project, known, [_entry(found, given) for found in _find(project, [laptop])], action="set")


def move(
    laptops: Laptops,
    authority: Annotated[str, typer.Option(help="New authority.")] = "",
    site: Annotated[str, typer.Option(help="New site.")] = "",
    room: Annotated[str, typer.Option(help="New room.")] = "",
) -> None:
    """Move devices to another authority, site or room. At another site, the old room no longer holds."""
    given = {name: text for name, text in (("authority", authority), ("site", site), ("room", room)) if text}
    if not given:
        raise InputError("nothing says where to move to", hint="Give --authority, --site or --room")
    project = current_project()
    known = _known(project)
    if site:
        given["site"] = known.organisation.site(site).code
    entries = [
        _entry(found, ({"room": ""} if site and found.site != given["site"] else {}) | given)
        for found in _find(project, laptops)
    ]
    _change(project, known, entries, action="move")


def retire(laptops: Laptops) -> None:
    """Take devices out of service for good (Aussonderung). They must be erased, or lost, before."""
    project = current_project()
    known = _known(project)
    given = {"state": str(LifeCycle.RETIRED)}
    _change(project, known, [_entry(found, given) for found in _find(project, laptops)], action="retire")


def change_state(project: Project, found: Device, state: LifeCycle, *, action: str) -> str:
    """Bring one device into a state, and return what changed in words.

    Raises:
        InputError: its life does not go there.
    """
    known = _known(project)
    changes = difference(known.devices, devices_of([_entry(found, {"state": str(state)})], known))
    if changes:
        _store(project).save(changes, actor=actor(), at=now(), action=action)
    return "; ".join(as_words(each.fields) for each in changes.changed) or f"state {state} already"


def migrate() -> None:
    """Bring the database up to date with this mvpc. A backup is kept beside it."""
    _store(current_project())
    say("the database is up to date")


def _find(project: Project, laptops: Sequence[str]) -> list[Device]:
    """The devices that are named, each once."""
    with Reader(project.database) as records:
        return list({found.number: found for found in map(records.find, laptops)}.values())


def _known(project: Project, *, writing: bool = True) -> Known:
    """All that entries are checked against. Before writing, the database is brought up to date."""
    devices: tuple[Device, ...] = ()
    if project.database.exists():
        if writing:
            _store(project)
        with Reader(project.database) as records:
            devices = records.devices()
    return Known(devices=devices, organisation=load_organisation(project.root), on=now().astimezone().date())


def _store(project: Project) -> Store:
    from mvpc.store.write import Store  # noqa: PLC0415 - loads SQLModel, which only writing should pay for

    return Store(project.database)


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise InputError(f"the file cannot be read ({error.strerror})", where=str(file)) from error


def _fields(assignments: Sequence[str]) -> dict[str, str]:
    """`room=214` -> {"room": "214"}; raises InputError with every text that is no assignment."""
    given: dict[str, str] = {}
    problems = []
    for text in assignments:
        name, equals, value = text.partition("=")
        field = field_of(name)
        if not equals or field is None:
            hint = nearest(name, list(TITLES)) or f"Fields: {', '.join(TITLES)}"
            problems.append(Problem("", f"{text!r} is not FIELD=VALUE with a known field", hint))
        elif field in given:
            problems.append(Problem("", f"{field} is given twice"))
        else:
            given[field] = value.strip()
    if problems:
        raise InputError.of(problems)
    return given


def _entry(found: Device, given: Mapping[str, str]) -> Entry:
    return Entry(
        where=found.hostname,
        titles=_NAMES,
        texts={name: text for name, text in given.items() if text},
        cleared=[name for name, text in given.items() if not text],
        device=found,
    )


def _change(project: Project, known: Known, entries: Sequence[Entry], *, action: str) -> None:
    _save(project, difference(known.devices, devices_of(entries, known)), action=action)


def _save(project: Project, changes: ImportDifference, *, action: str) -> None:
    if changes:
        _store(project).save(changes, actor=actor(), at=now(), action=action)
    for found in changes.new:
        say(f"{found.hostname}: added")
    for change in changes.changed:
        say(f"{change.after.hostname}: {as_words(change.fields)}")
    for found in changes.unchanged:
        say(f"{found.hostname}: nothing to change")
