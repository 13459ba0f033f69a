"""`mvpc profile`: check, show, explain, compare and render what the YAML files under profiles/ say."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from mvpc.catalogue import load_catalogue
from mvpc.cli.console import BAD, DIM, OK, print_beside, print_json, print_table, say
from mvpc.cli.context import current_project, today
from mvpc.cli.keyfiles import keyfile_problems, usable_key
from mvpc.cli.options import JsonOption, LaptopArgument
from mvpc.cli.versions import released
from mvpc.cli.words import count, shown
from mvpc.errors import InputError, NotFoundError, Problem
from mvpc.fleet import Fleet
from mvpc.model import Device, Workplace
from mvpc.organisation import Organisation
from mvpc.profiles import Codes, covers, in_order, stray_files, suggestion
from mvpc.profiles.revision import at_revision
from mvpc.settings import DEFAULT, Difference, Profile, Profiles, Report, Value, check, compare, effective, json_schema
from mvpc.store.read import Reader

app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None)


_NAMED = 3
"""How many devices a line of `diff` names."""


@app.callback()
def profile() -> None:
    """Check, explain, compare and render profiles."""


# --- check -----------------------------------------------------------------------------------


@app.command("check")
def check_all(
    without_secrets: Annotated[
        bool, typer.Option("--without-secrets", help="Do not look for secrets: where they are not stored, as in CI.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Check every layer, the catalogue and what each device gets. Exit code 2 when something is wrong."""
    fleet = _fleet()
    devices = _devices(fleet)
    problems, codes = _possible(fleet, devices)
    secrets = None if without_secrets else usable_key(fleet.secrets)
    report = check(fleet.profiles, codes, secrets=secrets)
    found = in_order((*problems, *report.problems)) or _rendered_problems(fleet, codes, devices)
    if as_json:
        _check_as_json(report, found, devices)
    else:
        _show_check(report, found, devices)
    if found:
        raise typer.Exit(InputError.exit_code)


def _unreadable_roles(fleet: Fleet) -> Iterator[Problem]:
    if fleet.profiles.roles:
        from mvpc.playbook.syntax import syntax_problems  # noqa: PLC0415 - only projects with such roles need it

        yield from syntax_problems(fleet.project.root, fleet.profiles.roles)


def _rendered_problems(fleet: Fleet, codes: Sequence[Codes], devices: Sequence[Device]) -> list[Problem]:
    """What only shows when bundles are rendered: keyfiles that are no good, policies that fail, roles."""
    from mvpc.cli.trial import release_problems, software_problems  # noqa: PLC0415 - loads the renderer

    software = software_problems(fleet, codes, devices)
    found = (*keyfile_problems(fleet, codes), *software, *_unreadable_roles(fleet))
    return in_order((*found, *release_problems(fleet)))


def _possible(fleet: Fleet, devices: Sequence[Device]) -> tuple[list[Problem], list[Codes]]:
    """Devices that exist, and one for each workplace and authority that could have some."""
    try:
        organisation = fleet.organisation
    except InputError as error:
        return list(error.problems), [
            Codes(workplace=kind, ressort="x", authority="x", hostname="x") for kind in Workplace
        ]
    ressorts, authorities = organisation.ressorts, organisation.authorities
    names = {device.hostname for device in devices} if devices else None
    problems = stray_files(fleet.project.root, ressorts=ressorts, authorities=authorities, devices=names)
    codes = list(_imaginable(organisation, fleet))
    for device in devices:
        try:
            codes.append(_codes(fleet, device))
        except NotFoundError as error:
            problems += [Problem(device.hostname, each.what, each.hint) for each in error.problems]
    return problems, codes


def _imaginable(organisation: Organisation, fleet: Fleet) -> Iterator[Codes]:
    for ressort in organisation.ressorts:
        for authority in (*organisation.authorities_of(ressort, fleet.on), "none"):
            for kind in Workplace:
                yield Codes(workplace=kind, ressort=ressort, authority=authority, hostname="none")


def _show_check(report: Report, problems: Sequence[Problem], devices: Sequence[Device]) -> None:
    for problem in problems:
        say(problem)
    if problems:
        say(f"{count(len(problems), 'problem')} in {count(report.layers, 'layer')}", style=BAD, err=True)
        return
    looked_at = (count(report.layers, "layer"), count(report.stacks, "distinct stack"), count(len(devices), "device"))
    say(f"profiles are valid: {', '.join(looked_at)}", style=OK)


def _check_as_json(report: Report, problems: Sequence[Problem], devices: Sequence[Device]) -> None:
    counts = {"layers": report.layers, "stacks": report.stacks, "devices": len(devices)}
    print_json({"valid": not problems, **counts, "problems": [asdict(problem) for problem in problems]})


# --- show, explain ---------------------------------------------------------------------------


@app.command()
def show(device: LaptopArgument, as_json: JsonOption = False) -> None:
    """Show every setting of a device, with the line that it comes from."""
    fleet = _fleet()
    found, profile = _profile_of(fleet, device)
    values = (*effective(profile), *released(fleet, found, profile))
    if as_json:
        settings = {each.path: {"value": each.value, "source": each.place} for each in values}
        print_json({"device": found.hostname, "layers": profile.merged.files, "settings": settings})
        return
    title = f"{found.hostname} · {fleet.ressort_of(found)} · {found.authority} · {found.workplace}"
    say(title)
    print_beside([(f"{each.path} = {shown(each.value)}", each.place, "") for each in values])


@app.command()
def explain(
    device: LaptopArgument,
    path: Annotated[str, typer.Argument(help="A setting such as vpn.tunnel, or a part such as wifi or software.qpdf.")],
    as_json: JsonOption = False,
) -> None:
    """Say why a device gets a value: the line that won, and everyone that it overrode."""
    fleet = _fleet()
    found, profile = _profile_of(fleet, device)
    values = effective(profile)
    chosen = [*(each for each in values if covers(path, each.path)), *released(fleet, found, profile, path)]
    if not chosen:
        known = {each.path for each in values} | {each.path.rpartition(".")[0] for each in values}
        step = _not_chosen(fleet, path) or suggestion(path, known)
        step = step or f"See all with: mvpc profile show {found.hostname}"
        raise NotFoundError(f"{found.hostname} has no setting {path!r}", hint=step)
    if as_json:
        print_json([_explained(each) for each in chosen])
        return
    _show_explained(chosen)


def _not_chosen(fleet: Fleet, path: str) -> str:
    """The step for a product of the catalogue that no layer of the device chooses; empty for any other path."""
    part, _, product = path.partition(".")
    known = part == "software" and product in fleet.profiles.catalogue
    return f"None of its layers chooses this product; which layers do: mvpc catalogue show {product}" if known else ""


def _explained(each: Value) -> dict[str, Any]:
    overrides = each.origin.overrides if each.origin else ()
    return {
        "path": each.path,
        "value": each.value,
        "source": each.place,
        "overrides": [{"value": value, "source": str(source)} for value, source in overrides],
        "locked": {"path": each.lock[0], "source": str(each.lock[1])} if each.lock else None,
    }


def _show_explained(values: Sequence[Value]) -> None:
    """The answer first, the reason below it, the places beside them in one column."""
    width = max(len(text) for each in values for text in (f"{each.path} = ", "  overrides  "))
    print_beside([line for each in values for line in _reasons(each, width)])


def _reasons(each: Value, width: int) -> Iterator[tuple[str, str, str]]:
    """Text, place and style of the lines about one value; `width` is where values begin."""
    yield f"{each.path + ' =':{width}}{shown(each.value)}", each.place, ""
    for value, source in each.origin.overrides if each.origin else ():
        yield f"{'  overrides':{width}}{shown(value)}", str(source), DIM
    if each.lock:
        yield f"{'  locked':{width}}{each.lock[0]}", str(each.lock[1]), DIM


# --- diff ------------------------------------------------------------------------------------


@app.command()
def diff(
    revision: Annotated[str, typer.Argument(help="A commit, a branch or a tag of git.")] = "HEAD",
    as_json: JsonOption = False,
) -> None:
    """Show which devices get something else than at a revision in git, and what."""
    fleet = _fleet()
    with Reader(fleet.project.database) as reader:
        devices = reader.devices()
    codes = [_codes(fleet, device) for device in devices]
    with at_revision(fleet.project.root, revision) as folder:
        earlier = _earlier(folder, revision, fleet.profiles.admin, codes)
        found = compare(earlier, fleet.profiles, codes)
    concerned = len({name for names in found.values() for name in names})
    if as_json:
        changes = [{**asdict(each), "devices": names} for each, names in found.items()]
        print_json({"revision": revision, "devices": len(codes), "concerned": concerned, "changes": changes})
    else:
        _show_diff(revision, found, concerned, len(codes))


def _earlier(folder: Path, revision: str, admin: str, codes: Sequence[Codes]) -> Profiles:
    """The profiles of the revision; what is wrong with them is said to be so there."""
    profiles = Profiles(folder, admin=admin)
    try:
        for each in codes:
            profiles.of(**each)
    except InputError as error:
        problems = [Problem(f"{revision}:{each.where}", each.what, each.hint) for each in error.problems]
        raise InputError.of(problems) from None
    return profiles


def _show_diff(revision: str, found: dict[Difference, tuple[str, ...]], concerned: int, total: int) -> None:
    if not found:
        say(f"Nothing changes against {revision} for {count(total, 'device')}", style=OK)
        return
    say(f"Against {revision}: {count(concerned, 'device')} of {total} change")
    for difference, names in found.items():
        old, new = difference.old, difference.new
        say(f"  {difference.path}  {_side(old.value, old.place)} -> {_side(new.value, new.place)}")
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        place = new.place if new.place not in {"", DEFAULT} or not old.place else f"was {old.place}"
        say(f"      {place}   {count(len(names), 'device')}: {', '.join(names[:_NAMED])}{more}", style=DIM)


def _side(value: object, place: str) -> str:
    return shown(value) if place else "nothing"


# --- render, schema --------------------------------------------------------------------------


@app.command()
def render(
    device: LaptopArgument,
    output: Annotated[Path, typer.Option("--output", "-o", help="New or empty folder for the files.")],
    as_json: JsonOption = False,
) -> None:
    """Write exactly the files that would land on a device. They hold its secrets: delete them afterwards."""
    from mvpc.cli.rendered import landing, write_landing  # noqa: PLC0415 - loads the renderer

    fleet = _fleet()
    with Reader(fleet.project.database) as reader:
        found = reader.find(device)
    rows = landing(fleet.compile(found).bundle)
    write_landing(rows, output)
    if as_json:
        print_json([row.described() for row in rows])
        return
    table = [(row.component, row.kind, row.name, row.mode, row.detail) for row in rows]
    print_table(f"{found.hostname} in {output}", ("component", "kind", "name", "mode", "detail"), table)


@app.command()
def schema() -> None:
    """Print the JSON Schema of a layer, which lets editors complete and check the YAML files."""
    catalogue = load_catalogue(current_project().root)
    typer.echo(json.dumps(json_schema(catalogue), indent=2, ensure_ascii=True))


# --- shared ----------------------------------------------------------------------------------


def _fleet() -> Fleet:
    return Fleet(current_project(), on=today())


def _devices(fleet: Fleet) -> tuple[Device, ...]:
    """The inventory; none where there is no database yet, since profiles are checked without it as well."""
    if not fleet.project.database.is_file():
        return ()
    with Reader(fleet.project.database) as reader:
        return reader.devices()


def _codes(fleet: Fleet, device: Device) -> Codes:
    ressort = fleet.ressort_of(device)
    return Codes(workplace=device.workplace, ressort=ressort, authority=device.authority, hostname=device.hostname)


def _profile_of(fleet: Fleet, text: str) -> tuple[Device, Profile]:
    with Reader(fleet.project.database) as reader:
        device = reader.find(text)
    return device, fleet.profiles.of(**_codes(fleet, device))
