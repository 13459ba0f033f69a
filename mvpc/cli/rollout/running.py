"""Carry a job out before a person's eyes, and say how it ended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from mvpc.cli import signals
from mvpc.cli.console import BAD, OK, WARN, print_json, say, terminal
from mvpc.cli.context import current_project, login, now
from mvpc.cli.planning import plan_as_json, prober
from mvpc.cli.rollout.surprises import say_surprises
from mvpc.cli.words import count
from mvpc.errors import RolloutError
from mvpc.job import Job
from mvpc.model import (
    ComponentResult,
    Outcome,
    Plan,
    PlannedRing,
    ResultsStored,
    RingBegun,
    RolloutEvent,
    RolloutState,
    Skip,
)
from mvpc.playbook import AnsibleRunner
from mvpc.project import Project
from mvpc.rollout import Observer, Rollout, Seams, roll_out
from mvpc.store.read import Reader
from mvpc.store.write import Store
from mvpc.text import safe

_STYLE = {
    Outcome.UNCHANGED: "",
    Outcome.CHANGED: OK,
    Outcome.DEFERRED: WARN,
    Outcome.UNREACHABLE: WARN,
    Outcome.FAILED: BAD,
    Outcome.NEEDS_REPAIR: BAD,
}
AT_REST = 5
"""Exit code of a rollout that came to rest before its end."""
SAMPLE_DIFFERED = 6
"""Exit code of a rollout whose sample was not unchanged."""


def check_approval(project: Project, plan: Plan) -> None:
    """A plan for many devices needs the word of somebody who is not the one who rolls it out.

    Raises:
        RolloutError: it has not been given.
    """
    number = len(plan.devices) - len(plan.sample)  # the sample changes nothing that was not approved before
    if not project.approve_above or number <= project.approve_above:
        return
    with Reader(project.database) as reader:
        others = set(reader.approvers(plan.hash)) - {login()}
    if not others:
        size = count(number, "device")
        raise RolloutError(
            f"plan {plan.hash} is for {size}; above {project.approve_above} somebody else must approve it",
            hint=f"Let another person run: mvpc rollout approve {plan.hash}",
        )


def run(job: Job, *, quiet: bool) -> Rollout:
    """Carry out the job; unless `quiet`, show every result as it arrives."""
    project = current_project()
    total = len(job.plan.changes) - len(job.skip) + len(job.asleep)
    with _observer(job.plan.rings, total, quiet=quiet) as observer:
        seams = Seams(
            runner=AnsibleRunner(
                playbooks=project.root / "playbooks",
                user=project.ssh_user,
                port=project.ssh_port,
                key=project.ssh_key,
            ),
            prober=prober(project),
            recorder=Store(project.database),
            now=now,
            observer=_Enduring(observer),
            stop=signals.reason,
        )
        with signals.patience():
            return roll_out(job, seams)


@dataclass
class _Enduring:
    shown: Observer

    def observe(self, event: RolloutEvent) -> None:
        """Show what has happened; when nobody looks any more, let the rollout come to rest in good order."""
        with signals.despite_lost_output():
            self.shown.observe(event)


@contextmanager
def _observer(rings: Sequence[PlannedRing], total: int, *, quiet: bool) -> Iterator[Observer]:
    """One line for each result and, on a terminal, a bar below them for as long as the rollout lives."""
    if quiet:
        yield _Quiet()
        return
    console = terminal()
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        sizes = {ring.name: len(ring.devices) for ring in rings}
        yield _Lines(console, bar, bar.add_task("rolling out", total=total), sizes)


class _Quiet:
    def observe(self, event: RolloutEvent) -> None:
        """Say nothing."""


@dataclass
class _Lines:
    console: Console
    bar: Progress
    task: TaskID
    rings: dict[str, int]

    def observe(self, event: RolloutEvent) -> None:
        """Print results and rings."""
        if isinstance(event, ResultsStored):
            for result in event.results:
                self.console.print(Text(safe(_line(result)), style=_STYLE[result.outcome]), soft_wrap=True)
            self.bar.advance(self.task, len(event.results))
        elif isinstance(event, RingBegun):
            if len(self.rings) > 1:
                self.console.print(Text(safe(f"Ring {event.ring}: {count(self.rings[event.ring], 'device')}")))
            self.bar.update(self.task, description=safe(event.ring))


def _line(result: ComponentResult) -> str:
    detail = result.error or (count(len(result.changes), "change") if result.changes else "")
    return f"  {result.device:<16}{result.component:<10}{result.outcome:<12}{detail}"


def finish(plan: Plan, done: Rollout | None, *, as_json: bool) -> NoReturn:
    """Say how it ended, and leave with the exit code that means so; `done` is None where there was nothing to do."""
    if as_json:
        print_json({"plan": plan_as_json(plan), "rollout": _as_json(done)})
    else:
        _say_how(plan, done)
    raise typer.Exit(_exit_code(plan, done))


def _say_how(plan: Plan, done: Rollout | None) -> None:
    reasons = [skip.why for skip in plan.skipped]
    if done is None:
        verified = reasons.count(Skip.VERIFIED)
        say(f"Nothing to do: {count(verified, 'device')} verified" if verified else "Nothing to do", style=OK)
    else:
        _say_result(done)
        _say_sample(plan, done)
    if asleep := reasons.count(Skip.UNREACHABLE):
        say(f"{count(asleep, 'device')} unreachable: not failed, served by the next rollout or by `watch`", style=WARN)
    if refused := reasons.count(Skip.REFUSED):
        say(f"{count(refused, 'device')} refused: not touched, look at them with mvpc status LAPTOP", style=BAD)


def _say_result(done: Rollout) -> None:
    changed, failed = done.counts.get(Outcome.CHANGED, 0), _failed(done)
    rest = [f"{done.counts[each]} {each}" for each in (Outcome.UNREACHABLE, Outcome.DEFERRED) if each in done.counts]
    sums = [f"{changed} changed", f"{done.verified} verified", f"{failed} failed", *rest]
    say(
        f"Rollout {done.number}: {', '.join(sums)}",
        style=BAD if failed else OK,
    )
    if done.reason:
        say(f"{done.state}: {done.reason}", style=WARN)
    if done.state in {RolloutState.HELD, RolloutState.PAUSED, RolloutState.INTERRUPTED}:
        promote = " --promote" if done.state is RolloutState.HELD else ""
        say(f"Next: mvpc rollout resume {done.number}{promote}")
    elif failed:
        say(f"Next: mvpc rollout show {done.number}, then mvpc rollout retry {done.number}")


def _say_sample(plan: Plan, done: Rollout) -> None:
    say_surprises(done.surprises)
    walked = {result.device for result in done.results if result.outcome is Outcome.UNCHANGED} & set(plan.sample)
    if walked and not done.surprises:
        say(f"Sample: {count(len(walked), 'unchanged laptop')} walked in full, nothing differed", style=OK)


def _failed(done: Rollout) -> int:
    return sum(number for outcome, number in done.counts.items() if outcome.is_bad)


def _exit_code(plan: Plan, done: Rollout | None) -> int:
    if done and done.state is RolloutState.INTERRUPTED:
        return signals.exit_code()
    reasons = {skip.why for skip in plan.skipped}
    if (done and _failed(done)) or Skip.REFUSED in reasons:
        return 3
    if done and done.state is not RolloutState.DONE:
        return AT_REST
    if done and done.surprises:
        return SAMPLE_DIFFERED
    reached = plan.changes or Skip.VERIFIED in reasons
    return 4 if Skip.UNREACHABLE in reasons and not reached else 0


def _as_json(done: Rollout | None) -> dict[str, Any] | None:
    return asdict(done) if done else None
