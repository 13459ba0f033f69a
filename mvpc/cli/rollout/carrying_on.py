"""Carry a rollout on from where it came to rest: for a person who resumes it, and for the watch."""

from __future__ import annotations

from dataclasses import replace

from mvpc.cli.context import actor, now, today
from mvpc.cli.planning import examine
from mvpc.fleet import Fleet
from mvpc.job import Job, make_job
from mvpc.model import RolloutRecord, RolloutRow
from mvpc.project import Project
from mvpc.schedule import Turn, decide, is_open


def turn_of(row: RolloutRow) -> tuple[Turn, str]:
    """Whether it is the time for a resting rollout to go on, and why not."""
    decision = decide(row.schedule, since=row.ended or row.started, now=now())
    return decision.turn, decision.why


def carry_on(project: Project, found: RolloutRecord, *, promote: bool = False) -> Job:
    """What is left of a rollout, after asking its laptops.

    Args:
        project: where it lies.
        found: the rollout; it is at rest.
        promote: go on also when it is not the time for it.

    Raises:
        RolloutError: its plan no longer fits.
    """
    fleet = Fleet(project, on=today())
    subjects = examine(fleet, fleet.named(found.plan.ressorts), ask=True)
    job = make_job(found.plan, subjects, actor=actor(), earlier=found)
    schedule = found.row.schedule
    catches_up = turn_of(found.row)[0] is Turn.DUE and not is_open(schedule, now())
    return replace(job, schedule=schedule, whenever=promote or catches_up)
