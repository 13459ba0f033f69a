"""What software really runs where, as one HTML file to hand on and as a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import datetime

from mvpc.inventory.export import guarded
from mvpc.report.html import moment, template
from mvpc.software.trial import Asked, LaptopSoftware, State, Trial

_TITLES = (
    *("Ressort", "Behörde", "Rechnername", "Abfrage", "Stand", "Produkt", "Funktion", "Lizenz"),
    *("Soll-Version", "Ist-Version", "Ergebnis", "Meldung"),
)
_STATES = {State.WORKING: "funktioniert", State.FAILED: "gestört", State.MISSING: "fehlt", State.UNKNOWN: "unbekannt"}
_ASKED = {
    Asked.ANSWERED: "beantwortet",
    Asked.BEFORE: "früher beantwortet",
    Asked.SILENT: "nie erreicht",
    Asked.NEVER: "nie gefragt",
    Asked.NOT_ASKABLE: "nicht abfragbar",
}
COLOURS = {State.WORKING: "changed", State.FAILED: "failed", State.MISSING: "unreachable", State.UNKNOWN: "open"}
"""State -> class of the style sheet."""


def software_html(trial: Trial, *, made_at: datetime) -> str:
    """The page: self-contained, printable, readable in light and dark. Times are shown in the zone of `made_at`."""
    return template("software.html.j2").render(
        trial=trial,
        states=tuple(State),
        asked=tuple(Asked),
        colours=COLOURS,
        selected=len(trial.laptops),
        made_at=moment(made_at, made_at),
        zone=made_at.tzname() or "",
        oldest=moment(trial.oldest, made_at) if trial.oldest else "",
        newest=moment(trial.newest, made_at) if trial.newest else "",
        complaints=trial.complaints,
        silent=_silent(trial),
    )


def _silent(trial: Trial) -> list[tuple[str, str, Asked, str, list[str]]]:
    """Laptops without a fresh answer, alike ones together: ressort, authority, how far we came, why, names."""
    groups: dict[tuple[str, str, Asked, str], list[str]] = {}
    for each in trial.laptops:
        if each.asked is not Asked.ANSWERED:
            why = each.seen.detail if each.seen else ""
            groups.setdefault((each.ressort, each.device.authority, each.asked, why), []).append(each.device.hostname)
    return [(*key, names) for key, names in sorted(groups.items())]


def software_csv(trial: Trial, *, zone: datetime, bom: bool = False) -> str:
    """One row for each product on each laptop, in the manner of the inventory's export: semicolons, German words.

    A laptop that was not asked has its rows all the same; one without products has one row.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=";", lineterminator="\r\n")
    writer.writerow(_TITLES)
    for laptop in trial.laptops:
        writer.writerows([guarded(cell) for cell in row] for row in _rows(laptop, zone))
    return ("\ufeff" if bom else "") + text.getvalue()


def _rows(laptop: LaptopSoftware, zone: datetime) -> Iterator[list[str]]:
    device, seen = laptop.device, laptop.seen
    answered = seen.answered.astimezone(zone.tzinfo).strftime("%d.%m.%Y %H:%M") if seen and seen.answered else ""
    head = [laptop.ressort, device.authority, device.hostname, _ASKED[laptop.asked], answered]
    if not laptop.wanted:
        yield [*head, *([""] * (len(_TITLES) - len(head)))]
    for name, wish in laptop.wanted.items():
        state, error = laptop.state(name)
        product = [name, wish.product.function, wish.product.licence, wish.version, laptop.installed(wish)]
        yield [*head, *product, _STATES[state], error]
