"""`mvpc rollout`: plan, ask, converge, verify; and look back at earlier rollouts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from mvpc.cli.console import BAD, OK, WARN, confirm, print_json, print_table, say, terminal
from mvpc.cli.context import actor, current_project, now, today
from mvpc.cli.planning import (
    AuthorityOption,
    DeviceOption,
    JsonOption,
    Planned,
    RessortOption,
    decide,
    plan_as_json,
    prober,
    show_plan,
)
from mvpc.cli.words import count, local
from mvpc.fleet import Fleet, Selection
from mvpc.model import ComponentResult, Outcome, RolloutRecord, Skip
from mvpc.plan import waiting
from mvpc.playbook import AnsibleRunner
from mvpc.project import Project
from mvpc.rollout import Job, Rollout, Seams, roll_out
from mvpc.store.read import Reader
from mvpc.store.write import Store
from mvpc.text import safe

app = typer.Typer(add_completion=False, rich_markup_mode=None, invoke_without_command=True)

_STYLE = {Outcome.CHANGED: OK, Outcome.UNCHANGED: "", Outcome.FAILED: BAD, Outcome.UNREACHABLE: WARN}


@app.callback()
def rollout(
    ctx: typer.Context,
    ressort: RessortOption = "",
    authority: AuthorityOption = "",
    device: DeviceOption = None,
    everyone: Annotated[bool, typer.Option("--all", help="Roll out to the whole fleet.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before starting.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Bring laptops to what their profiles say: show the plan, ask, converge, verify.

    Exit codes: 0 done, 3 devices failed or were refused, 4 no device could be reached.
    """
    if ctx.invoked_subcommand is not None:
        return
    selection = Selection(ressort=ressort, authority=authority, devices=tuple(device or ()))
    if selection == Selection() and not everyone:
        raise typer.BadParameter("name a --ressort, an --authority, a --device, or --all")
    if as_json and not yes:
        raise typer.BadParameter("--json cannot ask back; add --yes")
    _roll_out(selection, yes=yes, as_json=as_json)


def _roll_out(selection: Selection, *, yes: bool, as_json: bool) -> None:
    project = current_project()
    planned = decide(Fleet(project, on=today()), selection, ask=True)
    if not as_json:
        show_plan(planned.plan, each_device=False)
    if not _has_work(planned):
        _finish(planned, None, as_json=as_json)
        return
    if planned.plan.changes and not yes and not confirm("Roll out?"):
        say("nothing was changed")
        raise typer.Exit(1)
    job = _job(planned)
    with _observer(len(planned.plan.changes) + len(job.asleep), quiet=as_json) as observe:
        done = roll_out(job, _seams(project, observe))
    _finish(planned, done, as_json=as_json)


def _has_work(planned: Planned) -> bool:
    return bool(planned.plan.changes) or any(True for _ in waiting(planned.subjects))


def _job(planned: Planned) -> Job:
    return Job(
        plan=planned.plan,
        devices={device.hostname: device for device in planned.devices},
        bundles={item.device.hostname: item.bundle for item in planned.subjects if item.bundle},
        asleep=tuple(waiting(planned.subjects)),
        actor=actor(),
        highest_generation=max((item.probe.generation for item in planned.subjects if item.probe), default=0),
    )


def _seams(project: Project, observe: Callable[[ComponentResult], None]) -> Seams:
    return Seams(
        runner=AnsibleRunner(
            playbooks=project.root / "playbooks", user=project.ssh_user, port=project.ssh_port, key=project.ssh_key
        ),
        prober=prober(project),
        recorder=Store(project.database),
        now=now,
        observe=observe,
    )


@contextmanager
def _observer(total: int, *, quiet: bool) -> Iterator[Callable[[ComponentResult], None]]:
    """One line for each result and, on a terminal, a bar below them for as long as the rollout lives."""
    if quiet:
        yield lambda _: None
        return
    console = terminal()
    columns = TextColumn("rolling out"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=total)

        def observe(result: ComponentResult) -> None:
            console.print(Text(safe(_line(result)), style=_STYLE[result.outcome]), soft_wrap=True)
            bar.advance(task)

        yield observe


def _line(result: ComponentResult) -> str:
    detail = result.error or (count(len(result.changes), "change") if result.changes else "")
    return f"  {result.device:<16}{result.component:<10}{result.outcome:<12}{detail}"


def _finish(planned: Planned, done: Rollout | None, *, as_json: bool) -> None:
    if as_json:
        print_json({"plan": plan_as_json(planned.plan), "rollout": _rollout_as_json(done)})
    else:
        _summary(planned, done)
    raise typer.Exit(_exit_code(planned, done))


def _summary(planned: Planned, done: Rollout | None) -> None:
    asleep = sum(1 for skip in planned.plan.skipped if skip.why is Skip.UNREACHABLE)
    refused = sum(1 for skip in planned.plan.skipped if skip.why is Skip.REFUSED)
    if done is None:
        unchanged = sum(1 for skip in planned.plan.skipped if skip.why is Skip.VERIFIED)
        say(f"Nothing to do: {count(unchanged, 'device')} verified", style=OK if unchanged else "")
    else:
        changed, failed = done.counts.get(Outcome.CHANGED, 0), done.counts.get(Outcome.FAILED, 0)
        say(
            f"Rollout {done.number}: {changed} changed, {done.verified} verified, {failed} failed",
            style=BAD if failed else OK,
        )
        if failed:
            say(f"Next: mvpc rollout show {done.number}")
    if asleep:
        say(f"{count(asleep, 'device')} unreachable: not failed, served by the next rollout", style=WARN)
    if refused:
        say(f"{count(refused, 'device')} refused: not touched, look at them with mvpc status LAPTOP", style=BAD)


def _exit_code(planned: Planned, done: Rollout | None) -> int:
    failed = done is not None and done.counts.get(Outcome.FAILED, 0) > 0
    reasons = {skip.why for skip in planned.plan.skipped}
    if failed or Skip.REFUSED in reasons:
        return 3
    reached = planned.plan.changes or Skip.VERIFIED in reasons
    return 4 if Skip.UNREACHABLE in reasons and not reached else 0


def _rollout_as_json(done: Rollout | None) -> dict[str, Any] | None:
    if done is None:
        return None
    return {
        "number": done.number,
        "counts": done.counts,
        "verified": done.verified,
        "results": [asdict(result) for result in done.results],
    }


@app.command("list")
def list_rollouts(
    limit: Annotated[int, typer.Option(min=1, help="How many of the latest.")] = 20, as_json: JsonOption = False
) -> None:
    """List the latest rollouts."""
    with Reader(current_project().database) as reader:
        found = reader.rollouts(limit=limit)
    if as_json:
        print_json({"rollouts": [asdict(row) for row in found]})
        return
    rows = [
        [
            row.id,
            local(row.started),
            row.actor,
            row.scope,
            "interrupted" if row.interrupted else ", ".join(f"{number} {word}" for word, number in row.counts.items()),
        ]
        for row in found
    ]
    print_table("", ["rollout", "started", "by", "scope", "devices"], rows)


@app.command("show")
def show_rollout(
    number: Annotated[int, typer.Argument(help="Number of the rollout.")], as_json: JsonOption = False
) -> None:
    """Show one rollout: its plan, and what came of every device and component."""
    with Reader(current_project().database) as reader:
        found = reader.rollout(number)
    if as_json:
        print_json({"rollout": asdict(found.row), "plan": plan_as_json(found.plan), "results": _plain(found.results)})
        return
    say(f"Rollout {number} of {local(found.row.started)} by {found.row.actor}")
    show_plan(found.plan, each_device=False)
    _show_results(found)


def _plain(results: Sequence[ComponentResult]) -> list[dict[str, Any]]:
    return [asdict(result) for result in results]


def _show_results(found: RolloutRecord) -> None:
    rows = [
        [result.device, result.component, result.outcome, result.error or "; ".join(result.changes)]
        for result in found.results
    ]
    print_table("", ["device", "component", "outcome", "what was done"], rows)
