"""When a change may be made: windows over midnight and over the change of clocks, and what was missed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from mvpc.errors import InputError
from mvpc.model import CatchUp, Schedule
from mvpc.schedule import (
    Decision,
    Limits,
    Turn,
    decide,
    default_problems,
    from_data,
    is_open,
    read_schedule,
    schedule_words,
    to_data,
    window_words,
)

BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str) -> datetime:
    """A moment in Berlin: `Mon 12:00` in the week of 23 November 2026, or a date with a time."""
    days = {"Mon": 23, "Tue": 24, "Wed": 25, "Thu": 26, "Fri": 27, "Sat": 28, "Sun": 29}
    day, clock = text.split()
    date = f"2026-11-{days[day]}" if day in days else day
    return datetime.fromisoformat(f"{date} {clock}").replace(tzinfo=BERLIN).astimezone(UTC)


def schedule(now: str = "Mon 12:00", **limits: str) -> Schedule:
    return read_schedule(Limits(**limits), zone="Europe/Berlin", now=at(now))


def turn(made: Schedule, now: str, since: str = "Mon 12:00") -> Turn:
    return decide(made, since=at(since), now=at(now)).turn


NIGHTS = "Mon-Fri 18:00-06:00"


def test_without_limits_every_moment_is_right():
    assert decide(schedule(), since=at("Mon 12:00"), now=at("Sat 03:00")) == Decision(turn=Turn.DUE)


@pytest.mark.parametrize(
    ("moment", "opened"),
    [
        ("Mon 05:59", False),  # the night from Sunday to Monday begins on Sunday
        ("Mon 17:59", False),
        ("Mon 18:00", True),
        ("Mon 23:59", True),
        ("Tue 00:00", True),
        ("Tue 05:59", True),
        ("Tue 06:00", False),
        ("Fri 18:00", True),
        ("Sat 05:59", True),  # Friday's night
        ("Sat 18:00", False),
    ],
)
def test_a_window_over_midnight_belongs_to_the_day_on_which_it_begins(moment: str, opened: bool):
    assert is_open(schedule(window=NIGHTS), at(moment)) is opened


def test_any_of_several_windows_will_do():
    made = schedule(window="Mon-Fri 18:00-06:00; Sa,So 00:00-24:00")
    moments = ("Mon 19:00", "Sat 12:00", "Sun 23:59", "Mon 12:00")
    assert [is_open(made, at(moment)) for moment in moments] == [True, True, True, False]


def test_outside_of_its_window_a_change_waits_for_the_next_one_and_says_when_that_is():
    decision = decide(schedule(window=NIGHTS), since=at("Mon 12:00"), now=at("Sat 07:00"))
    words = "until Mon 2026-11-30 18:00, when window Mon-Fri 18:00-06:00 opens"
    assert (decision.turn, decision.why, decision.at) == (Turn.WAITING, words, at("2026-11-30 18:00"))


def test_before_its_time_a_change_waits_for_the_first_window_after_it():
    made = schedule(not_before="2026-11-26 20:00", window="Wed 18:00-20:00; Thu 18:00-22:00")
    decision = decide(made, since=at("Mon 12:00"), now=at("Wed 19:00"))
    assert (decision.turn, decision.at) == (Turn.WAITING, at("Thu 20:00"))
    assert turn(made, "Thu 20:00") is Turn.DUE


def test_a_day_as_not_before_begins_and_a_day_as_not_after_ends_with_it():
    made = schedule(not_before="2026-11-25", not_after="2026-11-26")
    moments = ("Tue 23:59", "Wed 00:00", "Thu 23:58", "Fri 00:00")
    assert [turn(made, moment) for moment in moments] == [Turn.WAITING, Turn.DUE, Turn.DUE, Turn.EXPIRED]


@pytest.mark.parametrize(
    ("catch_up", "same_night", "next_morning", "next_night", "after_the_end"),
    [
        ("next-window", Turn.DUE, Turn.WAITING, Turn.DUE, Turn.EXPIRED),
        ("at-once", Turn.DUE, Turn.DUE, Turn.DUE, Turn.DUE),
        ("drop", Turn.DUE, Turn.EXPIRED, Turn.EXPIRED, Turn.EXPIRED),
    ],
)
def test_what_was_missed_is_caught_up_as_the_rule_says(catch_up, same_night, next_morning, next_night, after_the_end):
    made = schedule(window=NIGHTS, not_after="2026-11-26 12:00", catch_up=catch_up)
    moments = ("Tue 05:00", "Tue 09:00", "Tue 19:00", "Thu 13:00")
    found = tuple(turn(made, moment, since="Mon 20:00") for moment in moments)
    assert found == (same_night, next_morning, next_night, after_the_end)


def test_a_window_that_had_closed_before_was_not_missed():
    made = schedule(window=NIGHTS, catch_up="drop")
    assert turn(made, "Tue 12:00", since="Tue 06:00") is Turn.WAITING


def test_a_window_before_not_before_was_not_missed():
    made = schedule(window=NIGHTS, not_before="2026-11-25", catch_up="drop")
    assert [turn(made, moment) for moment in ("Tue 12:00", "Wed 05:00")] == [Turn.WAITING, Turn.DUE]


def test_the_last_moment_of_not_after_still_counts():
    made, last = schedule(not_after="2026-11-25 12:00"), "Wed 12:00"
    assert (turn(made, last), is_open(made, at(last))) == (Turn.DUE, True)


def test_what_expired_says_why():
    made = schedule(not_after="2026-11-25 12:00")
    assert (
        decide(made, since=at("Mon 12:00"), now=at("Thu 09:00")).why
        == "it was not to be made after Wed 2026-11-25 12:00"
    )
    made = schedule(window=NIGHTS, catch_up="drop")
    why = decide(made, since=at("Mon 12:00"), now=at("Thu 09:00")).why
    assert why == "its window Mon-Fri 18:00-06:00 has passed, and it is not to be caught up"


def test_a_change_whose_last_window_has_passed_says_so_before_it_expires():
    made = schedule(window="Mon 18:00-20:00", not_after="2026-11-28")
    assert decide(made, since=at("Mon 12:00"), now=at("Tue 09:00")) == Decision(
        turn=Turn.WAITING, why="no window opens any more before it expires at Sat 2026-11-28 23:59"
    )


# --- the change of clocks: 29 March 2026 02:00 -> 03:00, 25 October 2026 03:00 -> 02:00 ------


def hours_open(window: str, date: str) -> float:
    """How long the window is open from noon before a night until the noon after it."""
    made, moment = schedule(window=window), at(f"{date} 12:00")
    return sum(is_open(made, datetime.fromtimestamp(moment.timestamp() + 900 * step, UTC)) for step in range(100)) / 4


@pytest.mark.parametrize(("date", "hours"), [("2026-03-27", 12), ("2026-03-28", 11), ("2026-10-24", 13)])
def test_a_night_is_an_hour_shorter_or_longer_when_the_clocks_change(date: str, hours: int):
    assert hours_open("18:00-06:00", date) == hours


@pytest.mark.parametrize(("window", "hours"), [("02:00-03:00", 0), ("02:15-02:45", 0), ("01:30-03:30", 1)])
def test_hours_that_a_night_in_spring_does_not_have_are_not_open(window: str, hours: int):
    assert hours_open(window, "2026-03-28") == hours


def test_the_hour_that_autumn_has_twice_is_open_both_times():
    assert hours_open("02:00-03:00", "2026-10-24") == 2


def test_a_window_that_the_change_of_clocks_swallowed_comes_round_in_the_week_after():
    decision = decide(schedule(window="Sun 02:15-02:45"), since=at("2026-03-28 12:00"), now=at("2026-03-28 12:00"))
    assert decision.at == at("2026-04-05 02:15")


def test_six_in_the_evening_is_six_in_the_evening_on_both_sides_of_the_change():
    made = schedule(window="18:00-19:00")
    opens = [decide(made, since=at(day), now=at(day)).at for day in ("2026-10-24 12:00", "2026-10-25 12:00")]
    assert [moment.hour for moment in opens if moment] == [16, 17]  # in UTC


# --- texts -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("18:00-06:00", "18:00-06:00"),
        ("Mo-Fr 18:00-06:00", "Mon-Fri 18:00-06:00"),
        ("sat,SUN 00:00-24:00", "Sat,Sun 00:00-24:00"),
        ("Sa-Mo 08:00-12:30", "Mon,Sat,Sun 08:00-12:30"),
        ("Mon,Tue,Wed,Fri 22:00-24:00;Sun 01:00-02:00", "Mon-Wed,Fri 22:00-24:00; Sun 01:00-02:00"),
        ("Mon-Sun 01:00-02:00", "01:00-02:00"),
        ("always", ""),
    ],
)
def test_windows_are_read_as_people_write_them_and_shown_in_one_way(written: str, shown: str):
    windows = schedule(window=written).windows
    assert window_words(windows) == shown
    assert schedule(window=shown).windows == windows


@pytest.mark.parametrize(
    ("window", "message"),
    [
        ("18-06", "is no window"),
        ("Mon-Fri", "is no window"),
        ("Mon-Fry 18:00-06:00", "has a day that no week has: Fry"),
        ("Mon- 18:00-06:00", "has a day that no week has: nothing"),
        ("18:00-18:00", "is an empty window; the whole day is 00:00-24:00"),
        ("25:00-06:00", "has a time that no day has: 25:00"),
        ("18:00-06:00;", "is no window"),
    ],
)
def test_a_window_that_cannot_be_read_is_refused_with_the_reason(window: str, message: str):
    with pytest.raises(InputError, match=f"--window '.*' {message}"):
        schedule(window=window)


def test_everything_that_is_wrong_is_said_at_once():
    with pytest.raises(InputError) as caught:
        schedule(not_before="soon", not_after="30.11.2026", window="night", catch_up="later")
    assert [problem.what for problem in caught.value.problems] == [
        "--not-before 'soon' is neither a date nor a time span",
        "--not-after '30.11.2026' is neither a date nor a time span",
        "--window 'night' is no window",
        "--catch-up 'later' must be one of next-window, at-once, drop",
    ]


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"not_after": "2026-11-22"}, "--not-after has passed already"),
        ({"not_after": "1d", "not_before": "2d"}, "--not-after is earlier than --not-before"),
        ({"not_after": "2d", "window": "Fri 18:00-20:00"}, "no window Fri 18:00-20:00 opens before --not-after"),
        ({"not_before": "2026-02-30"}, "--not-before '2026-02-30' day is out of range"),
    ],
)
def test_limits_that_leave_no_time_are_refused(limits: dict[str, str], message: str):
    with pytest.raises(InputError, match=message):
        schedule(**limits)


def test_time_spans_count_from_now_and_now_and_never_set_no_limit():
    made = schedule(not_before="12h", not_after="2w")
    assert (made.not_before, made.not_after) == (at("Tue 00:00"), at("2026-12-07 12:00"))
    assert schedule(not_before="now", not_after="never") == Schedule(zone="Europe/Berlin")


def test_options_go_over_the_defaults_one_by_one():
    defaults = Limits(not_after="14d", window=NIGHTS)
    assert Limits(window="always").over(defaults) == Limits(not_after="14d", window="always")


def test_defaults_must_be_time_spans_since_a_date_would_soon_have_passed():
    found = default_problems(Limits(not_after="2026-12-01", window="x", catch_up="drop"), file="mvpc.toml")
    assert [problem.what for problem in found] == ["rollout.not_after is no time span", "rollout.window is no window"]


def test_what_is_stored_comes_back():
    made = schedule(not_before="1d", not_after="14d", window=f"{NIGHTS}; Sun 00:00-24:00", catch_up="drop")
    assert from_data(to_data(made)) == made
    assert from_data(to_data(Schedule())) == Schedule()


def test_a_schedule_is_shown_in_words():
    made = replace(schedule(not_after="2026-12-06", window=NIGHTS), catch_up=CatchUp.DROP)
    assert schedule_words(made) == "Mon-Fri 18:00-06:00, not after Sun 2026-12-06 23:59"
    assert schedule_words(Schedule()) == "any time"
