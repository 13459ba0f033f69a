"""`mvpc catalogue readiness`: which workplaces cannot move to Linux, and why."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta
from typing import Annotated, Any

import typer

from mvpc.applications import SYSTEM, Application, Obstacle, Readiness, load_applications
from mvpc.applications import readiness as look
from mvpc.cli.console import OK, WARN, print_json, print_table, say
from mvpc.cli.context import current_project, today
from mvpc.cli.options import JsonOption
from mvpc.cli.planning import AuthorityOption, DeviceOption, RessortOption
from mvpc.cli.words import count
from mvpc.errors import InputError
from mvpc.fleet import Fleet, Selection
from mvpc.profiles import suggestion

SystemOption = Annotated[str, typer.Option("--to", help="Operating system that workplaces shall move to.")]
AgeOption = Annotated[int, typer.Option("--max-age", min=1, help="Days after which a test does not count any more.")]
DevicesOption = Annotated[
    bool, typer.Option("--devices", help="Name every workplace with an obstacle: first those that cannot move.")
]


def readiness(
    ressort: RessortOption = "",
    authority: AuthorityOption = "",
    device: DeviceOption = None,
    system: SystemOption = "debian-13",
    max_age: AgeOption = 365,
    devices: DevicesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Say which workplaces cannot move because of their specialist applications, and why."""
    if not re.match(SYSTEM, system):
        step = suggestion(system, ("debian-12", "debian-13", "ubuntu-24.04", "windows-11"))
        raise InputError(
            f"--to '{system}' is no operating system with its release", hint=step or "For example: debian-13"
        )
    fleet = Fleet(current_project(), on=today())
    applications = load_applications(fleet.project.root, fleet.organisation, on=fleet.on)
    chosen = fleet.select(Selection(ressort=ressort, authority=authority, devices=tuple(device or ())))
    placed = {each: fleet.ressort_of(each) for each in chosen}
    found = look(placed, applications, system=system, on=fleet.on, max_age=timedelta(days=max_age))
    if as_json:
        print_json(_data(found))
    else:
        _show(found, applications, with_devices=devices)


def _data(found: Readiness) -> dict[str, Any]:
    names = {kind: [each.hostname for each in getattr(found, kind)] for kind in ("ready", "held", "moved")}
    blocked = [asdict(each) for each in found.blocked]
    return {"system": found.system, **names, "left_out": found.left_out, "blocked": blocked}


def _show(found: Readiness, applications: Mapping[str, Application], *, with_devices: bool) -> None:
    reasons: dict[tuple[str, Obstacle, str], list[bool]] = {}
    for each in found.blocked:
        reasons.setdefault((each.application, each.obstacle, each.detail), []).append(each.moved)
    rows = [
        (name, why, moved.count(False), moved.count(True), detail, applications[name].owner)
        for (name, why, detail), moved in sorted(reasons.items(), key=lambda item: (-len(item[1]), item[0]))
    ]
    if rows:
        columns = ("application", "why", "workplaces held", "moved already", "details", "owner")
        print_table(f"What keeps workplaces from {found.system}", columns, rows)
        print_table("", ("authority", "ressort", "can move", "cannot", "moved already"), _authorities(found))
    if with_devices and found.blocked:
        lines = [
            (
                each.device,
                each.authority,
                each.application,
                each.obstacle,
                "moved already" if each.moved else "cannot move",
            )
            for each in sorted(found.blocked, key=lambda each: (each.moved, each.device))
        ]
        print_table("Workplaces with an obstacle", ("laptop", "authority", "application", "why", "workplace"), lines)
    risky = len({each.device for each in found.blocked if each.moved})
    say(
        f"{count(len(found.ready), 'workplace')} can move to {found.system}, {len(found.held)} cannot, "
        f"{len(found.moved)} moved already" + (f" ({risky} of them in spite of an obstacle)" if risky else ""),
        style=WARN if found.blocked else OK,
    )
    if found.left_out:
        say(f"{count(found.left_out, 'laptop')} left out: returned, erased, retired or lost")
    if not applications:
        say("No application is known: inventory/applications/ is empty, so nothing can be an obstacle", style=WARN)


def _authorities(found: Readiness) -> list[tuple[object, ...]]:
    """Authorities with an obstacle, those with the most workplaces that cannot move first."""
    ressorts = {each.authority: each.ressort.upper() for each in found.blocked}
    ready, held, moved = (Counter(each.authority for each in part) for part in (found.ready, found.held, found.moved))
    order = sorted(ressorts, key=lambda code: (-held[code], code))
    return [(code, ressorts[code], ready[code], held[code], moved[code]) for code in order]
