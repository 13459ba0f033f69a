"""`mvpc software report`: the answers of laptops, added up, in the form that is wanted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from mvpc.cli.console import BAD, OK, WARN, print_json, print_table, say
from mvpc.cli.context import current_project, now, today
from mvpc.cli.files import replace_file
from mvpc.cli.options import JsonOption
from mvpc.cli.planning import AuthorityOption, DeviceOption, RessortOption
from mvpc.cli.words import ago, count
from mvpc.errors import InputError
from mvpc.fleet import Fleet, Selection
from mvpc.model import Device, SoftwareSeen
from mvpc.report import software_csv, software_html
from mvpc.software import wishes
from mvpc.software.trial import Asked, LaptopSoftware, ProductFigures, State, Trial, trial
from mvpc.software.versions import version_key
from mvpc.store.read import Reader

_SHOWN = 20
"""Kinds of failures that a screen holds; the other forms have all."""


_PRODUCTS = ("product", "working", "failed", "missing", "unknown", "licence")
_VERSIONS = ("product", "function", "version, oldest first", "wanted", "installed")


class Form(StrEnum):
    """How the report is written."""

    TABLE = "table"
    CSV = "csv"
    HTML = "html"


FormOption = Annotated[
    Form, typer.Option("--format", "-f", help="A table on the screen, a spreadsheet, or a page to hand on.")
]


def report(
    ressort: RessortOption = "",
    authority: AuthorityOption = "",
    device: DeviceOption = None,
    form: FormOption = Form.TABLE,
    output: Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where to write it.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Show what laptops said when they were asked: versions, oldest first, and what works. Asks nobody."""
    if output and form is Form.TABLE:
        raise InputError("a file is written as csv or html", where=str(output), hint="Add --format csv or html")
    fleet = Fleet(current_project(), on=today())
    found = _trial(fleet, Selection(ressort=ressort, authority=authority, devices=tuple(device or ())))
    if as_json:
        print_json(_data(found))
    elif form is Form.TABLE:
        _show(found)
    else:
        _write(found, form, output)


def _trial(fleet: Fleet, selection: Selection) -> Trial:
    chosen = fleet.select(selection)
    with Reader(fleet.project.database) as reader:
        seen = reader.software_states([each.hostname for each in chosen])
    askable = {each.hostname for each in fleet.askable(chosen)}
    laptops = [_laptop(fleet, each, seen, askable=each.hostname in askable) for each in chosen]
    scope = f"SIMULATED {selection}" if fleet.project.chances else str(selection)
    return trial(scope, laptops, fleet.profiles.catalogue)


def _laptop(fleet: Fleet, device: Device, seen: Mapping[str, SoftwareSeen], *, askable: bool) -> LaptopSoftware:
    settings = fleet.profile_of(device).settings if askable else None
    return LaptopSoftware(
        device=device,
        ressort=fleet.ressort_of(device),
        wanted=wishes(device, settings, fleet.profiles.catalogue, fleet.release_of(device)) if settings else {},
        seen=seen.get(device.hostname),
        askable=askable,
    )


def _write(found: Trial, form: Form, output: Path | None) -> None:
    here = now().astimezone()
    to_file = output is not None
    text = software_html(found, made_at=here) if form is Form.HTML else software_csv(found, zone=here, bom=to_file)
    if output is None:
        typer.echo(text, nl=False)
    else:
        replace_file(output, text)
        say(f"the software of {count(len(found.laptops), 'laptop')} is described in {output}")


def _data(found: Trial) -> dict[str, Any]:
    products = [asdict(each) | {"chosen": each.chosen, "working": each.working} for each in found.products]
    laptops = [
        {
            "device": each.device.hostname,
            "ressort": each.ressort,
            "asked": each.asked,
            "at": each.seen.answered if each.seen else None,
            "detail": each.seen.detail if each.seen else "",
        }
        for each in found.laptops
    ]
    head = {"scope": found.scope, "asked": found.asked, "oldest": found.oldest, "newest": found.newest}
    return {**head, "ressorts": found.ressorts, "products": products, "laptops": laptops}


def _show(found: Trial) -> None:
    if found.products:
        print_table(f"Software · {found.scope}", _PRODUCTS, [_row(each) for each in found.products])
        print_table("", _VERSIONS, [line for each in found.products for line in _versions(each)])
    complaints = found.complaints
    if complaints:
        rows = [(each.product, each.error, len(each.devices), each.devices[0]) for each in complaints]
        columns = ("product", "what it said", "laptops", "for example")
        print_table(count(sum(row[2] for row in rows), "failure"), columns, rows[:_SHOWN])
        if len(rows) > _SHOWN:
            say(f"and {len(rows) - _SHOWN} other kinds: mvpc software report --format csv -o FILE")
    for line, style in _lines(found, bool(complaints)):
        say(line, style=style)


def _row(row: ProductFigures) -> tuple[object, ...]:
    share = f"{row.working_percent} of {row.chosen - row.states[State.UNKNOWN]}"
    numbers = (row.states[state] for state in (State.FAILED, State.MISSING, State.UNKNOWN))
    return row.product, share, *numbers, row.licence


def _versions(row: ProductFigures) -> Iterator[tuple[object, ...]]:
    """One version a line, since one that is broken into pieces cannot be read; product and function stand once."""
    lines = [
        (version or "any", row.wanted.get(version, ""), row.installed.get(version, ""))
        for version in sorted({*row.wanted, *row.installed}, key=version_key)
    ]
    lines += [("(another than wanted)", "", row.other_version)] if row.other_version else []
    lines += [("(not chosen)", "", row.unchosen)] if row.unchosen else []
    for number, line in enumerate(lines):
        yield *((row.product, row.function) if number == 0 else ("", "")), *line


def _lines(found: Trial, troubles: bool) -> Iterator[tuple[str, str]]:
    parts = [f"{found.asked[each]} {each}" for each in Asked if found.asked[each]]
    fresh = not any(found.asked[each] for each in (Asked.BEFORE, Asked.SILENT, Asked.NEVER))
    style = BAD if troubles else OK if fresh else WARN
    yield f"{count(len(found.laptops), 'laptop')}: {', '.join(parts) or 'none selected'}", style
    if found.oldest:
        yield f"oldest answer {ago(found.oldest, now())}, newest {ago(found.newest, now())}", ""
    if not fresh:
        yield "Next: mvpc software ask", ""
