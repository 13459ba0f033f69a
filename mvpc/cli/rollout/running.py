"""Carry a job out before a person's eyes."""

from __future__ import annotations

from dataclasses import dataclass

from mvpc.cli import signals
from mvpc.cli.context import current_project, now
from mvpc.cli.laptops import prober, runner
from mvpc.cli.rollout.views.choosing import watching
from mvpc.job import Job
from mvpc.model import RolloutEvent
from mvpc.rollout import Observer, Rollout, Seams, roll_out
from mvpc.room import MEMORY, MEMORY_MB, STATE_MB, require_room
from mvpc.store.write import Store


def run(job: Job, *, as_json: bool) -> Rollout:
    """Carry out the job and show how it goes: live, as lines, or as JSON Lines.

    Raises:
        MvpcError: there is too little room on the controller; nothing was begun.
    """
    project = current_project()
    require_room({project.state: STATE_MB, MEMORY: MEMORY_MB})
    with watching(as_json=as_json) as observer:
        seams = Seams(
            runner=runner(project),
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
