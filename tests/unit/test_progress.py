"""A rollout under way, as it is shown: from recorded events to what stands on the screen."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import cache
from itertools import product

import pytest
from rich.console import Console

from mvpc.cli.rollout.views.frame import frame
from mvpc.cli.rollout.views.jsonlines import JsonLines
from mvpc.cli.rollout.views.lines import PlainLines
from mvpc.cli.rollout.views.live import LiveView
from mvpc.model import (
    Action,
    Change,
    ComponentResult,
    Gate,
    GateJudged,
    Outcome,
    Plan,
    PlannedRing,
    ResultsStored,
    RingAsked,
    RingBegun,
    RingVerified,
    RolloutBegun,
    RolloutEnded,
    RolloutEvent,
    RolloutState,
)
from mvpc.progress import Progress, Stage
from mvpc.testing import NOON

RESSORTS = ("stk", "im", "jm", "fm", "wm", "lm", "bm", "wkm", "sm")
NO_PACKAGE = "E: Unable to locate package ghost\nE: and more of it"


def names(first: int, last: int) -> tuple[str, ...]:
    return tuple(f"nb-{number:06}" for number in range(first, last + 1))


def a_plan(**rings: tuple[str, ...]) -> Plan:
    devices = [name for members in rings.values() for name in members]
    return Plan(
        scope="all",
        changes=tuple(
            Change(device=name, component="base", action=Action.CREATE, reason="never applied", digest="a")
            for name in devices
        ),
        skipped=(),
        ressorts={name: RESSORTS[int(name[3:]) % len(RESSORTS)] for name in devices},
        rings=tuple(PlannedRing(name=name, gate=Gate(), devices=members) for name, members in rings.items()),
        hash="7f3a91c0ffee",
    )


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def came(seconds: float, *outcomes: tuple[str, Outcome], component: str = "base", error: str = "") -> ResultsStored:
    return ResultsStored(
        at=at(seconds),
        results=tuple(
            ComponentResult(
                device=device,
                component=component,
                outcome=outcome,
                at=at(seconds),
                changes=("file /etc/hosts created",) if outcome is Outcome.CHANGED else (),
                error=error if outcome is Outcome.FAILED else "",
            )
            for device, outcome in outcomes
        ),
    )


def begins(seconds: float, plan: Plan, ring: str, *components: str) -> RingBegun:
    [members] = [each.devices for each in plan.rings if each.name == ring]
    return RingBegun(at=at(seconds), ring=ring, work=dict.fromkeys(members, components or ("base",)))


def progress_of(*events: RolloutEvent) -> Progress:
    progress = Progress()
    for event in events:
        progress.observe(event)
    return progress


def seen(progress: Progress, *, seconds: float = 60, width: int = 80, height: int = 23) -> list[str]:
    """The lines of one frame."""
    screen = io.StringIO()
    console = Console(file=screen, width=width, markup=False, highlight=False, emoji=False, color_system=None)
    console.print(frame(progress, now=at(seconds), width=width, height=height))
    return [line.rstrip() for line in screen.getvalue().splitlines()]


def printed(*events: RolloutEvent) -> str:
    out = io.StringIO()
    view = PlainLines(Console(file=out, width=200, markup=False, highlight=False, emoji=False))
    for event in events:
        view.observe(event)
    return out.getvalue()


SMALL = a_plan(pilot=names(1, 1), broad=names(2, 3))
BEGUN = RolloutBegun(at=NOON, number=42, plan=SMALL)


# --- where it stands -------------------------------------------------------------------------


def test_a_laptop_is_finished_when_all_its_components_are():
    begun = BEGUN, begins(0, SMALL, "pilot", "base", "wifi")
    one = came(1, ("nb-000001", Outcome.CHANGED))
    assert progress_of(*begun, one).rings["pilot"].finished == 0
    other = came(2, ("nb-000001", Outcome.UNCHANGED), component="wifi")
    assert progress_of(*begun, one, other).rings["pilot"].outcomes == {Outcome.CHANGED: 1}


def test_a_laptop_counts_once_by_its_worst_component():
    failed = came(2, ("nb-000001", Outcome.FAILED), component="wifi", error=NO_PACKAGE)
    progress = progress_of(
        BEGUN, begins(0, SMALL, "pilot", "base", "wifi"), came(1, ("nb-000001", Outcome.CHANGED)), failed
    )
    assert +progress.outcomes == {Outcome.FAILED: 1}


def test_laptops_that_sleep_count_in_their_ressort_and_in_no_ring():
    asleep = came(0, ("nb-000099", Outcome.UNREACHABLE))
    progress = progress_of(BEGUN, asleep)
    assert (progress.total, +progress.outcomes) == (4, {Outcome.UNREACHABLE: 1})
    assert sum(ring.finished for ring in progress.rings.values()) == 0


def test_rings_go_from_waiting_to_verified_and_a_closed_gate_holds_them():
    told: list[RolloutEvent] = [BEGUN]
    stages = []
    for event in (
        begins(0, SMALL, "pilot"),
        RingAsked(at=at(1), ring="pilot", devices=1),
        RingVerified(at=at(2), ring="pilot", devices=()),
        GateJudged(at=at(2), ring="pilot", reason="only 0 of 1 devices in ring pilot are verified"),
    ):
        told.append(event)
        stages.append(progress_of(*told).rings["pilot"].stage)
    assert stages == [Stage.RUNNING, Stage.ASKING, Stage.VERIFIED, Stage.HELD]
    assert progress_of(*told).rings["broad"].stage is Stage.WAITING


def test_a_ring_that_a_person_interrupts_says_so():
    ended = RolloutEnded(at=at(1), number=42, state=RolloutState.INTERRUPTED, reason="interrupted by a person")
    progress = progress_of(BEGUN, begins(0, SMALL, "pilot"), ended)
    assert (progress.rings["pilot"].stage, progress.state) == (Stage.INTERRUPTED, RolloutState.INTERRUPTED)


def test_the_rate_is_that_of_the_last_minutes_and_gives_the_time_that_is_left():
    plan = a_plan(broad=names(1, 100))
    slow = [came(60 * minute, (f"nb-{minute:06}", Outcome.CHANGED)) for minute in range(1, 11)]
    quick = [came(600 + 6 * step, (f"nb-{10 + step:06}", Outcome.CHANGED)) for step in range(1, 51)]
    progress = progress_of(RolloutBegun(at=NOON, number=42, plan=plan), begins(0, plan, "broad"), *slow, *quick)
    assert progress.rate(at(900)) == pytest.approx(10, rel=0.05)
    assert progress.remaining(at(900)) == pytest.approx(timedelta(minutes=4), rel=timedelta(seconds=15) / timedelta(1))


def test_nobody_guesses_the_time_that_is_left_in_the_first_seconds():
    progress = progress_of(BEGUN, begins(0, SMALL, "pilot"), came(1, ("nb-000001", Outcome.CHANGED)))
    assert progress.remaining(at(2)) is None


def test_a_resumed_rollout_counts_only_what_is_left():
    resumed = RolloutBegun(at=NOON, number=42, plan=SMALL, first_ring=1)
    left = RingBegun(at=NOON, ring="broad", work={"nb-000003": ("base",)})
    progress = progress_of(resumed, left, came(30, ("nb-000003", Outcome.CHANGED)))
    assert (progress.total, progress.rings["broad"].finished, progress.rings["pilot"].finished) == (2, 2, 0)
    assert "pilot" in seen(progress)[1]
    assert "through before" in seen(progress)[1]


# --- the live view ---------------------------------------------------------------------------


def test_a_small_rollout_shows_every_laptop_and_what_was_done():
    lines = seen(
        progress_of(BEGUN, begins(0, SMALL, "pilot"), came(30, ("nb-000001", Outcome.CHANGED))), width=100, seconds=60
    )
    assert lines == [
        "Rollout 42 · running · 1 min 0 s",
        "pilot  ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━  1/1  running",
        "broad  ──────────────────────────────  0/2  waiting",
        "",
        "nb-000001  base changed (1)",
        "",
        "1/3 devices · 1.0/min · about 2 min left",
    ]


def test_a_laptop_that_is_being_worked_on_says_so():
    lines = seen(progress_of(BEGUN, begins(0, SMALL, "broad"), came(30, ("nb-000002", Outcome.CHANGED))))
    assert lines[4:6] == ["nb-000002  base changed (1)", "nb-000003  under way"]


def test_after_a_signal_it_says_that_nothing_new_is_begun():
    progress = progress_of(BEGUN, begins(0, SMALL, "pilot"))
    screen = io.StringIO()
    console = Console(file=screen, width=80, color_system=None)
    console.print(frame(progress, now=at(5), width=80, height=23, stop="interrupted by SIGINT"))
    last = screen.getvalue().splitlines()[-1]
    assert last == "interrupted by SIGINT: what is in flight finishes; once more ends mvpc"


def test_equal_failures_stand_together_by_their_first_line_and_the_latest_comes_first():
    plan = a_plan(broad=names(1, 100))
    progress = progress_of(
        RolloutBegun(at=NOON, number=42, plan=plan),
        begins(0, plan, "broad"),
        came(1, ("nb-000001", Outcome.FAILED), ("nb-000002", Outcome.FAILED), error=NO_PACKAGE),
        came(2, ("nb-000003", Outcome.FAILED), error="disk full"),
    )
    assert seen(progress)[-3:] == [
        "3 devices failed, the latest first",
        "1x  base  disk full                                         nb-000003",
        "2x  base  E: Unable to locate package ghost                 nb-000001 and 1 more",
    ]


def test_a_laptop_on_which_everything_fails_alike_is_one_line_and_one_laptop():
    plan = a_plan(broad=names(1, 100))
    failed = [
        came(second, (name, Outcome.FAILED), component=part, error="no result in time")
        for second, (name, part) in enumerate(product(("nb-000001", "nb-000002"), ("base", "vpn", "wifi")))
    ]
    progress = progress_of(RolloutBegun(at=NOON, number=42, plan=plan), begins(0, plan, "broad"), *failed)
    assert seen(progress)[-2:] == [
        "2 devices failed, the latest first",
        "2x  base +2  no result in time                              nb-000001 and 1 more",
    ]


def test_of_many_rings_the_one_that_runs_is_shown():
    plan = a_plan(**{f"ring-{number}": (f"nb-{number:06}",) for number in range(1, 13)})
    through = [RingVerified(at=NOON, ring=f"ring-{number}", devices=()) for number in range(1, 10)]
    begun = RolloutBegun(at=NOON, number=42, plan=plan)
    lines = seen(progress_of(begun, *through, begins(1, plan, "ring-10")), height=15)
    assert [line.split()[0] for line in lines[1:6]] == ["…", "ring-9", "ring-10", "ring-11", "ring-12"]
    assert lines[1].endswith("8 through")


def test_what_a_laptop_says_cannot_steer_the_terminal():
    evil = came(1, ("nb-000001", Outcome.FAILED), error="\x1b[2J[red]gone[/red]\u202e")
    shown = "\n".join(seen(progress_of(BEGUN, begins(0, SMALL, "pilot"), evil), width=120))
    assert r"\x1b[2J[red]gone[/red]\u202e" in shown


def test_colours_do_not_come_from_data():
    progress = progress_of(RolloutBegun(at=NOON, number=42, plan=a_plan(**{"[bold]": names(1, 20)})))
    assert any(line.startswith("[bold]") for line in seen(progress))


@pytest.mark.parametrize(("width", "height"), [(80, 23), (160, 49), (60, 15)])
@pytest.mark.parametrize("until", [1, 40, None])
def test_at_15000_laptops_it_fits_every_terminal(width: int, height: int, until: int | None):
    lines = seen(progress_of(*large()[:until]), width=width, height=height, seconds=300)
    assert len(lines) <= height
    assert all(len(line) <= width for line in lines)


def test_at_15000_laptops_80_columns_show_rings_ressorts_pace_and_failures():
    lines = seen(progress_of(*large()), seconds=300)
    text = "\n".join(lines)
    assert [line.split()[0] for line in lines[1:4]] == ["pilot", "early", "broad"]
    assert [line.split()[0] for line in lines[5:14]] == sorted(code.upper() for code in RESSORTS)
    assert "15000/15000 devices" in text
    assert "E: Unable to locate package ghost" in text
    assert "other kinds" in lines[-1]


@cache
def large() -> tuple[RolloutEvent, ...]:
    return tuple(_large())


def _large() -> Iterator[RolloutEvent]:
    """15,000 laptops in batches of 50: of each batch five sleep and two fail, one of them in a way of its own."""
    plan = a_plan(pilot=names(1, 150), early=names(151, 1500), broad=names(1501, 15000))
    yield RolloutBegun(at=NOON, number=42, plan=plan)
    seconds = 0.0
    for ring in plan.rings:
        yield begins(seconds, plan, ring.name)
        for first in range(0, len(ring.devices), 50):
            seconds += 1
            batch = ring.devices[first : first + 50]
            yield came(seconds, *((name, Outcome.CHANGED) for name in batch[7:]))
            yield came(seconds, *((name, Outcome.UNREACHABLE) for name in batch[:5]))
            yield came(seconds, (batch[5], Outcome.FAILED), error=NO_PACKAGE)
            yield came(seconds, (batch[6], Outcome.FAILED), error=f"{batch[6]} is special")
        yield RingAsked(at=at(seconds), ring=ring.name, devices=len(ring.devices))
        yield RingVerified(at=at(seconds), ring=ring.name, devices=ring.devices[7:])


def test_the_last_frame_stays_on_the_screen_also_when_the_rollout_breaks_off():
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=80, height=24, color_system=None)
    live = LiveView(console, now=lambda: at(60))
    with pytest.raises(KeyboardInterrupt), live.on_screen():
        for event in (BEGUN, begins(0, SMALL, "pilot"), came(1, ("nb-000001", Outcome.CHANGED))):
            live.observe(event)
        live.observe(
            RolloutEnded(at=at(60), number=42, state=RolloutState.INTERRUPTED, reason="interrupted by a person")
        )
        raise KeyboardInterrupt
    last = screen.getvalue().rsplit("Rollout 42", maxsplit=1)[1]
    assert "interrupted · 1 min 0 s" in last
    assert "nb-000001  base changed (1)" in last
    assert last.endswith("\x1b[?25h")  # the cursor is back


# --- plain lines -----------------------------------------------------------------------------


def test_without_a_terminal_every_result_is_a_line_and_failures_are_whole():
    text = printed(
        BEGUN,
        begins(0, SMALL, "pilot"),
        came(1, ("nb-000001", Outcome.FAILED), error=NO_PACKAGE),
        RingVerified(at=at(2), ring="pilot", devices=()),
        begins(2, SMALL, "broad"),
        came(3, ("nb-000002", Outcome.CHANGED), ("nb-000003", Outcome.UNCHANGED)),
        RingVerified(at=at(4), ring="broad", devices=("nb-000002", "nb-000003")),
    )
    assert text.splitlines() == [
        "Ring pilot: 1 device",
        "  nb-000001       base      failed       E: Unable to locate package ghost",
        "      E: and more of it",
        "Ring pilot: 1 failed · 0 of 1 verified",
        "Ring broad: 2 devices",
        "  nb-000002       base      changed      1 change",
        "Ring broad: 1 changed · 1 unchanged · 2 of 2 verified",
    ]


def test_a_long_name_of_a_component_does_not_run_into_what_came_of_it():
    changed = came(1, ("nb-000001", Outcome.CHANGED), component="local-printers")
    assert "local-printers changed" in printed(BEGUN, begins(0, SMALL, "pilot"), changed)


def test_at_15000_laptops_only_failures_have_lines_and_a_few_sum_up():
    lines = printed(*large()).splitlines()
    kinds = [line for line in lines if line.startswith("Ring")]
    assert len([line for line in lines if " failed  " in line]) == 600
    assert not [line for line in lines if " changed  " in line]
    assert len(kinds) <= 300 / 10 + 3 * 2
    assert "Ring broad: 11610 changed · 540 failed · 1350 unreachable · 13493 of 13500 verified" in lines


def test_lines_hold_no_escape_codes_whatever_laptops_say():
    assert "\x1b" not in printed(
        BEGUN, begins(0, SMALL, "pilot"), came(1, ("nb-000001", Outcome.FAILED), error="\x1b[2Jx\n\x1b[1m")
    )


# --- JSON Lines ------------------------------------------------------------------------------


def test_every_event_is_one_line_of_json(capsys: pytest.CaptureFixture[str]):
    view = JsonLines()
    for event in (
        BEGUN,
        begins(0, SMALL, "pilot"),
        came(1, ("nb-000001", Outcome.CHANGED), ("nb-000002", Outcome.FAILED), error="a\nb\x1b"),
        RingAsked(at=at(2), ring="pilot", devices=1),
        RingVerified(at=at(3), ring="pilot", devices=("nb-000001",)),
        GateJudged(at=at(3), ring="pilot", reason=""),
        RolloutEnded(at=at(4), number=42, state=RolloutState.DONE, reason=""),
    ):
        view.observe(event)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    kinds = ["begin", "ring", "result", "result", "ask", "verified", "gate", "rest"]
    assert [line["event"] for line in lines] == kinds
    assert lines[0]["rings"] == [{"name": "pilot", "devices": 1}, {"name": "broad", "devices": 2}]
    assert (lines[2]["at"], lines[2]["device"]) == ("2026-11-23T12:00:01.000+00:00", "nb-000001")
    assert lines[3]["error"] == "a\nb\x1b"
