"""`mvpc status`: the helpdesk's one screen. It reads records with the standard library alone, so it answers at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mvpc.cli.completing import laptops
from mvpc.cli.context import current_project, now, today
from mvpc.cli.options import JsonOption
from mvpc.cli.services import COLUMNS, service_counts, service_lines, service_row
from mvpc.cli.words import ago, local
from mvpc.errors import InputError
from mvpc.model import Certificate, Device, Probe, Reach, RolloutRow
from mvpc.project import Project
from mvpc.status import DeviceStatus, Knowledge, Verdict, device_status
from mvpc.store.answers import record_probes
from mvpc.store.read import Reader
from mvpc.text import safe

if TYPE_CHECKING:
    from mvpc.software import Questions

app = typer.Typer(add_completion=False, rich_markup_mode=None)

_COLOURS = {
    Verdict.OK: typer.colors.GREEN,
    Verdict.APPLIED: typer.colors.GREEN,
    Verdict.REFUSED: typer.colors.RED,
    Verdict.ROLLED_BACK: typer.colors.RED,
    Verdict.FAILED: typer.colors.RED,
    Verdict.UNMANAGED: typer.colors.BRIGHT_BLACK,
}

_KILL_SWITCH = {
    "on": "kill switch on",
    "off": "kill switch NOT LOADED",
    "portal": "kill switch open for a sign-in page",
    "trusted": "kill switch open, trusted network",
    "closed": "kill switch shut: its rules are damaged, roll out again",
}


@app.command()
def status(
    laptop: Annotated[
        str,
        typer.Argument(
            help="Hostname, inventory number or serial, or how one begins. Without it: the whole fleet.",
            autocompletion=laptops,
        ),
    ] = "",
    live: Annotated[bool, typer.Option("--live", help="Ask the laptop itself, also for services.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show what we believe of one laptop, or count the fleet by ressort and verdict."""
    project = current_project()
    if live and not laptop:
        raise typer.BadParameter("--live asks one laptop: name it. The whole fleet is asked by mvpc plan")
    if not laptop:
        _fleet(project, as_json=as_json)
        return
    with Reader(project.database) as reader:
        device = reader.find(laptop)
    if live:
        _ask(project, device)
    with Reader(project.database) as reader:
        known = _knowledge(reader, device)
        certificates = reader.current_certificates([device.hostname])
    found = device_status(known, now())
    facts = known.seen.facts if known.seen else {}
    if as_json:
        from mvpc.cli.console import print_json  # noqa: PLC0415 - loads Rich

        print_json(asdict(found) | {"facts": facts})
    else:
        _show(found, known.at_work, facts, certificates)


def _knowledge(reader: Reader, device: Device) -> Knowledge:
    name = device.hostname
    row, _ = reader.last_rollout(name) or (None, ())
    return Knowledge(
        device=device,
        states=reader.component_states([name]).get(name, {}),
        seen=reader.device_states([name]).get(name),
        last_rollout=row,
        at_work=reader.at_work(name),
        waits=reader.waiting([name]).get(name, ()),
        services=reader.service_states([name]).get(name, ()),
    )


def _ask(project: Project, device: Device) -> None:
    """Probe the laptop and store its answer, so that the screen and the records cannot differ."""
    from mvpc.cli.laptops import prober  # noqa: PLC0415 - loads the rollout

    answer: Probe = next(iter(prober(project, updates=True, questions=_questions(project, device)).probe([device])))
    record_probes(project.database, [answer])
    if answer.reach is not Reach.REACHED:
        words = "does not answer" if answer.reach is Reach.UNREACHABLE else "did not answer as it should"
        typer.echo(f"{device.hostname} {words}: {safe(answer.detail)}", err=True)


def _questions(project: Project, device: Device) -> Mapping[str, Questions]:
    """Which services the laptop is asked about. A profile with a mistake keeps nobody from asking for all the rest."""
    from mvpc.fleet import Fleet  # noqa: PLC0415 - loads profiles and templates
    from mvpc.software import Questions, service_questions  # noqa: PLC0415 - the same

    fleet = Fleet(project, on=today())
    if not fleet.is_ours(device):
        return {}
    try:
        settings = fleet.profile_of(device).settings
    except InputError as error:
        typer.echo(f"services are left out: {error.problems[0]}", err=True)
        return {}
    return {device.hostname: Questions(services=service_questions(settings, fleet.profiles.catalogue))}


def _show(
    found: DeviceStatus, at_work: RolloutRow | None, facts: Mapping[str, Any], certificates: Sequence[Certificate]
) -> None:
    device, moment = found.device, now()
    place = [device.authority, device.site, device.workplace, f"room {device.room}" if device.room else ""]
    typer.echo(" · ".join(safe(part) for part in [device.hostname, *place] if part))
    typer.secho(found.verdict.upper(), fg=_COLOURS.get(found.verdict, typer.colors.YELLOW), bold=True, nl=False)
    since = f" (since {local(found.since)})" if found.since else ""
    vain = f", no answer {ago(found.unanswered, moment)}" if found.unanswered else ""
    typer.echo(f"  {safe(found.reason)}{since}; last seen {ago(found.last_seen, moment)}{vain}")
    for component, words in found.drift.items():
        for word in words:
            typer.echo(f"  {safe(component)}: {safe(word)}")
    if line := " · ".join(filter(None, (_facts_line(facts), _certificate(certificates)))):
        typer.echo(f"  {line}")
    for news, good in service_lines(found.services, moment):
        typer.secho(f"  {safe(news)}", fg=None if good else typer.colors.YELLOW)
    if at_work:
        typer.echo(f"  at work: rollout {at_work.id} of {safe(at_work.actor)}, since {local(at_work.started)}")
    if found.last_rollout:
        typer.echo(f"  last rollout {found.last_rollout}: mvpc rollout show {found.last_rollout}")
    typer.echo(f"Next: {safe(found.next_step)}")


def _certificate(certificates: Sequence[Certificate]) -> str:
    """How long what the laptop proves itself with still holds; empty for one that was not enrolled."""
    if not certificates:
        return ""
    left = (min(each.not_after for each in certificates) - now()).days
    place = ", key in TPM" if any(each.in_tpm for each in certificates) else ""
    return (f"certificate {left} d" if left >= 0 else "certificate EXPIRED") + place


def _facts_line(facts: Mapping[str, Any]) -> str:
    """What the laptop last said of itself, in one line; what it did not say is left out."""
    words = []
    if facts.get("os"):
        words.append(str(facts["os"]))
    if isinstance(facts.get("vpn"), dict):
        words.append(f"vpn {facts['vpn'].get('state', 'unknown')}")
    if isinstance(facts.get("kill_switch"), dict):
        words.append(_KILL_SWITCH.get(str(facts["kill_switch"].get("state")), "kill switch unknown"))
    if facts.get("disk_encrypted") is not None:
        words.append("disk encrypted" if facts["disk_encrypted"] else "disk NOT encrypted")
    if facts.get("updates_pending") is not None:
        words.append(f"{facts['updates_pending']} updates pending{_counted(facts)}")
    if facts.get("reboot_required"):
        words.append("reboot required")
    if isinstance(facts.get("undone"), dict):
        words.append(f"took back rollout {facts['undone'].get('generation')}: {facts['undone'].get('reason')}")
    if facts.get("failed_units"):
        words.append(f"failed units: {', '.join(map(str, facts['failed_units']))}")
    return " · ".join(safe(word, limit=120) for word in words)


def _counted(facts: Mapping[str, Any]) -> str:
    """When updates were counted, if that is not today: only `--live` lets a laptop count them."""
    seconds = facts.get("updates_counted")
    if not isinstance(seconds, int) or not 0 < seconds < 1 << 33:
        return ""
    counted = datetime.fromtimestamp(seconds, tz=UTC)
    return "" if now() - counted < timedelta(days=1) else f" (counted {ago(counted, now())})"


def _fleet(project: Project, *, as_json: bool) -> None:
    from mvpc.cli.console import print_json, print_table, say  # noqa: PLC0415 - loads Rich
    from mvpc.fleet import Fleet  # noqa: PLC0415 - loads profiles and templates

    fleet = Fleet(project, on=today())
    counts: dict[str, Counter[str]] = {}
    with Reader(project.database) as reader:
        for device, verdict in _verdicts(reader, now()):
            counts.setdefault(fleet.ressort_of(device), Counter())[verdict] += 1
        services = service_counts(each for states in reader.service_states().values() for each in states)
    if as_json:
        print_json({"ressorts": counts, "services": services})
        return
    if not counts:
        say("The inventory is empty. Next: mvpc device import FILE")
        return
    shown = [verdict for verdict in reversed(Verdict) if any(row[verdict] for row in counts.values())]
    rows = [
        [code.upper(), sum(row.values()), *(row[verdict] or "" for verdict in shown)] for code, row in counts.items()
    ]
    print_table("", ["ressort", "devices", *shown], sorted(rows, key=str))
    if services:
        print_table("Services", COLUMNS, [service_row(each, now()) for each in services])
    say(f"{sum(sum(row.values()) for row in counts.values())} devices; one of them: mvpc status LAPTOP")


def _verdicts(reader: Reader, moment: datetime) -> list[tuple[Device, Verdict]]:
    states, seen = reader.component_states(), reader.device_states()
    waits = reader.waiting()
    return [
        (
            device,
            device_status(
                Knowledge(
                    device=device,
                    states=states.get(device.hostname, {}),
                    seen=seen.get(device.hostname),
                    waits=waits.get(device.hostname, ()),
                ),
                moment,
            ).verdict,
        )
        for device in reader.devices()
    ]
