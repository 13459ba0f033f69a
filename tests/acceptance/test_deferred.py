"""Laptops that come back inside and outside of their time, and everything else that ends their waiting: for real."""

from __future__ import annotations

import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from tests.acceptance.admin import NEEDS_LAB, Admin, an_admin, standing_alone
from tests.acceptance.driver import eventually
from tests.acceptance.parameter import everywhere, parameter, parameters, want_parameter

LAPTOPS = ("lab-01", "lab-02", "lab-03")
pytestmark = NEEDS_LAB


@pytest.fixture(scope="module")
def admin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Admin]:
    """Three laptops of one ressort, brought to their profiles; windows are meant in UTC."""
    with an_admin(tmp_path_factory.mktemp("project"), name="dfr", addresses="10.91.0.0/24") as person:
        config = person.root / "mvpc.toml"
        config.write_text(config.read_text() + '[rollout]\ntimezone = "UTC"\n')
        person.furnish(LAPTOPS)
        yield person


@pytest.fixture(autouse=True)
def everybody_up_to_date(admin: Admin, request: pytest.FixtureRequest) -> Iterator[None]:
    """Each test begins and ends with all laptops awake and nothing waiting."""
    with standing_alone(admin, request):
        yield
    for name in LAPTOPS:
        admin.mvpc("lab", "on", name)
    admin.mvpc("rollout", "--all", "--yes", "--window", "always")
    assert admin.json("rollout", "waiting")["laptops"] == []


def hours(begin: int, end: int) -> str:
    """A window that begins and ends so many hours from now, as mvpc writes it."""
    now = datetime.now(tz=UTC)
    begins, ends = (f"{now + timedelta(hours=each):%H:%M}" for each in (begin, end))
    return f"{begins}-{'24:00' if ends == '00:00' else ends}"


OPEN, CLOSED = hours(-2, 6), hours(6, 9)


def newest(admin: Admin) -> dict[str, object]:
    return dict(admin.json("rollout", "list")["rollouts"][0])


def test_a_laptop_that_comes_back_outside_of_its_window_waits_and_inside_of_it_is_served(admin: Admin):
    want_parameter(admin, 1)
    admin.mvpc("lab", "off", "lab-03")
    held = admin.json("rollout", "--all", "--yes", "--window", CLOSED, expect=5)["rollout"]
    assert held["state"] == "scheduled"
    assert f"when window {CLOSED} opens" in held["reason"]
    assert [parameter(admin, name) for name in LAPTOPS[:2]] == [0, 0]
    assert admin.json("rollout", "resume", str(held["number"]), expect=5)["rollout"]["state"] == "scheduled"
    admin.mvpc("rollout", "resume", str(held["number"]), "--promote")
    assert [parameter(admin, name) for name in LAPTOPS[:2]] == [1, 1]

    admin.mvpc("lab", "on", "lab-03")
    assert "1 laptop waiting, 0 back, 1 for their time" in admin.mvpc("rollout", "watch", "--once")
    [waits] = admin.json("rollout", "waiting")["laptops"]
    assert (waits["device"], waits["turn"], waits["schedule"]["window"]) == ("lab-03", "waiting", CLOSED)
    assert "wait for it until " in admin.mvpc("status", "lab-03")
    assert parameter(admin, "lab-03") == 0

    admin.mvpc("lab", "off", "lab-03")
    admin.mvpc("rollout", "--all", "--yes", "--window", OPEN)
    admin.mvpc("lab", "on", "lab-03")
    assert "1 laptop waiting, 1 back" in admin.mvpc("rollout", "watch", "--once")
    assert parameter(admin, "lab-03") == 1


def test_a_change_whose_time_has_passed_is_not_made_and_not_forgotten(admin: Admin):
    before = parameter(admin, "lab-03")
    want_parameter(admin, 2)
    admin.mvpc("lab", "off", "lab-03")
    admin.mvpc("rollout", "--all", "--yes", "--not-after", "2m")
    admin.mvpc("lab", "on", "lab-03")
    eventually(lambda: admin.mvpc("rollout", "waiting"), "1 expired", timeout_s=240)
    assert "0 laptops waiting, 0 back, 1 expired" in admin.mvpc("rollout", "watch", "--once")
    assert parameter(admin, "lab-03") == before
    assert "waited for it, and it was not to be made after" in admin.mvpc("status", "lab-03")
    assert admin.json("status")["ressorts"]["fm"]["expired"] == 1
    admin.mvpc("rollout", "metrics", "-o", "m.prom")
    assert "mvpc_expired_devices 1" in (admin.root / "m.prom").read_text()
    assert "nothing waits for 1 laptop any more" in admin.mvpc("rollout", "purge", "--expired")
    assert admin.json("rollout", "waiting")["laptops"] == []


def test_the_watch_goes_on_with_a_rollout_when_its_time_comes_and_ends_when_it_is_told_to(admin: Admin):
    want_parameter(admin, 3)
    admin.mvpc("rollout", "--all", "--yes", "--not-before", "1m", expect=5)
    number = newest(admin)["id"]
    assert f"Rollout {number} of root waits: before ring" in admin.mvpc("rollout", "waiting")
    watch, logs = ("rollout", "watch", "--every", "10"), [admin.root / "known-first", admin.root / "known-second"]
    with admin.begin(*watch, log=logs[0]) as first, admin.begin(*watch, log=logs[1]) as second:
        eventually(lambda: str(newest(admin)["state"]), "done", timeout_s=300)
        assert parameters(admin) == everywhere(admin, 3)
        for process in (first, second):
            process.send_signal(signal.SIGTERM)
        codes = [process.wait(timeout=120) for process in (first, second)]
    said = [log.read_text() for log in logs]
    assert codes == [0, 0], said
    assert f"Rollout {number} goes on" in "".join(said)
    assert all("watch has ended" in text and "Traceback" not in text for text in said)
    assert newest(admin)["id"] == number


def test_purge_and_cancel_end_the_waiting(admin: Admin):
    before = parameter(admin, "lab-03")
    want_parameter(admin, 4)
    admin.mvpc("lab", "off", "lab-03")
    admin.mvpc("rollout", "--all", "--yes")
    assert "nothing waits for lab-03 any more" in admin.mvpc("rollout", "purge", "lab-03")
    admin.mvpc("rollout", "--all", "--yes")
    number = newest(admin)["id"]
    assert f"rollout {number} was done; it waits for 1 laptop no longer" in admin.mvpc("rollout", "cancel", str(number))
    admin.mvpc("lab", "on", "lab-03")
    assert "0 laptops waiting, 0 back" in admin.mvpc("rollout", "watch", "--once")
    assert parameter(admin, "lab-03") == before


def test_a_broken_profile_that_stopped_in_the_pilot_ring_does_not_reach_laptops_that_come_back(admin: Admin):
    before = parameter(admin, "lab-03")
    ghost = (admin.root / "profiles/catalogue/tree.yml").read_text().replace("[tree]", "[no-such-package]")
    (admin.root / "profiles/catalogue/ghost.yml").write_text(ghost)
    want_parameter(admin, 5, extra="software:\n  ghost: present\n")
    admin.mvpc("lab", "off", "lab-03")
    stopped = admin.json("rollout", "--all", "--yes", expect=3)["rollout"]
    assert stopped["state"] == "stopped"
    admin.mvpc("lab", "on", "lab-03")
    assert "1 laptop waiting, 0 back, 1 for their time" in admin.mvpc("rollout", "watch", "--once")
    [waits] = admin.json("rollout", "waiting")["laptops"]
    assert waits["why"] == f"until rollout {stopped['number']} is done; it is stopped"
    assert parameter(admin, "lab-03") == before

    said = admin.mvpc("rollout", "retry", str(stopped["number"]), "--failed", "--yes", expect=3)
    [pilot] = [name for name in LAPTOPS if f"1 laptop failed ({name})" in said]
    assert "lab-03" not in said
    assert newest(admin)["scope"] == pilot
    want_parameter(admin, 5)
    admin.mvpc("rollout", "cancel", str(stopped["number"]))
    assert admin.json("rollout", "waiting")["laptops"] == []


def test_an_old_controller_that_wakes_up_has_lost_its_laptops_and_changes_nothing(admin: Admin):
    want_parameter(admin, 6)
    before = admin.newest_number()
    with admin.begin("rollout", "--all", "--yes") as old:
        with admin.stopped(old, after=before) as number:
            with closing(sqlite3.connect(admin.root / ".mvpc/mvpc.db", timeout=20)) as database:
                database.execute("UPDATE rollout SET beat = '2026-01-01T00:00:00+00:00' WHERE id = ?", (number,))
                database.commit()
            want_parameter(admin, 7)
            admin.mvpc("rollout", "--all", "--yes")
            assert parameters(admin) == everywhere(admin, 7)
        assert old.wait(timeout=300) == 1, admin.log.read_text()
    assert f"rollout {number} has lost its laptops" in admin.log.read_text()
    assert parameters(admin) == everywhere(admin, 7)
    found = admin.json("rollout", "show", str(number))["rollout"]
    assert found["state"] == "interrupted"
