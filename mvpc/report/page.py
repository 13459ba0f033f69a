"""A rollout as one HTML file without scripts and without anything fetched from elsewhere."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

from mvpc.model import RolloutRecord
from mvpc.report import figures, timeline
from mvpc.report.html import moment, template
from mvpc.sample import surprises


def report_html(record: RolloutRecord, *, made_at: datetime) -> str:
    """The page for one rollout: self-contained, printable, readable in light and dark.

    Args:
        record: the rollout; what devices said in it is escaped and made visible.
        made_at: when the page is made. Times are shown in its zone.
    """
    fared = figures.fates(record)
    return template("report.html.j2").render(
        row=record.row,
        plan=record.plan,
        made_at=moment(made_at, made_at),
        zone=made_at.tzname() or "",
        started=moment(record.row.started, made_at),
        duration=_duration(record, made_at),
        fates=tuple(figures.Fate),
        counts=Counter(fared.values()),
        selected=len(fared) + sum(len(group.devices) for group in figures.untouched(record)),
        ressorts=figures.by_ressort(record.plan, fared),
        rings=figures.by_ring(record.plan, fared),
        line=timeline.timeline(record.results, made_at.tzinfo),
        frame=timeline,
        walked=figures.walked(record),
        surprises=surprises(record.plan, record.results),
        failures=figures.failures(record),
        waiting=figures.waiting(record),
        changes=figures.changes(record.plan),
        untouched=figures.untouched(record),
    )


def _duration(record: RolloutRecord, made_at: datetime) -> str:
    ended = record.row.ended
    words = _span((ended or made_at) - record.row.started)
    return words if ended else f"{words} so far"


def _span(span: timedelta) -> str:
    seconds = max(0, int(span.total_seconds()))
    days, hours, minutes = seconds // 86400, seconds // 3600 % 24, seconds // 60 % 60
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds % 60} s"
