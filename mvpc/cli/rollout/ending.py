"""Say how a rollout ended, and leave with the exit code that means so."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, NoReturn

import typer

from mvpc.cli import signals
from mvpc.cli.console import BAD, OK, WARN, say
from mvpc.cli.context import now
from mvpc.cli.planning import plan_as_json
from mvpc.cli.rollout.surprises import say_surprises
from mvpc.cli.rollout.views.jsonlines import print_end
from mvpc.cli.words import count
from mvpc.model import Outcome, Plan, RolloutState, Skip
from mvpc.rollout import Rollout

AT_REST = 5
"""Exit code of a rollout that came to rest before its end."""
SAMPLE_DIFFERED = 6
"""Exit code of a rollout whose sample was not unchanged."""


def finish(plan: Plan, done: Rollout | None, *, as_json: bool) -> NoReturn:
    """Say how it ended, and leave with the exit code that means so; `done` is None where there was nothing to do."""
    if as_json:
        print_end(now(), {"plan": plan_as_json(plan), "rollout": _as_json(done)})
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
    # Who sleeps changes while a rollout runs, and when it is carried on: its plan knows only who did at its beginning.
    if asleep := done.counts.get(Outcome.UNREACHABLE, 0) if done else reasons.count(Skip.UNREACHABLE):
        say(f"{count(asleep, 'device')} unreachable: not failed; what waits: mvpc rollout waiting", style=WARN)
    if refused := reasons.count(Skip.REFUSED):
        say(f"{count(refused, 'device')} refused: not touched, look at them with mvpc status LAPTOP", style=BAD)
    if done:
        _say_next(done)


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


def _say_next(done: Rollout) -> None:
    if step := _next_step(done, _failed(done)):
        say(f"Next: {step}")


def _next_step(done: Rollout, failed: int) -> str:
    resume = f"mvpc rollout resume {done.number}"
    if done.state is RolloutState.SCHEDULED:
        return f"`mvpc rollout watch` goes on when its time comes; to go on now: {resume} --promote"
    if done.state in {RolloutState.HELD, RolloutState.PAUSED, RolloutState.INTERRUPTED}:
        return f"{resume} --promote" if done.state is RolloutState.HELD else resume
    return f"mvpc rollout show {done.number}, then mvpc rollout retry {done.number} --failed" if failed else ""


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
