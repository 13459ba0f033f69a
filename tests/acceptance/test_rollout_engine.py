"""Rings, gates, plans that are approved, sleeping laptops, and two admins: on real laptops."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mvpc.model import RolloutState
from tests.acceptance.admin import NEEDS_LAB, Admin, an_admin, standing_alone
from tests.acceptance.parameter import everywhere, parameters, want_parameter

LAPTOPS = tuple(f"lab-{number:02}" for number in range(1, 6))

pytestmark = NEEDS_LAB


@pytest.fixture(scope="module")
def admin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Admin]:
    """Five laptops of one ressort, imaged and brought to their profiles."""
    with an_admin(tmp_path_factory.mktemp("project"), name="eng", addresses="10.83.0.0/24") as person:
        person.furnish(LAPTOPS)
        yield person


@pytest.fixture(autouse=True)
def nothing_is_left(admin: Admin, request: pytest.FixtureRequest) -> Iterator[None]:
    """Each test begins with laptops that are on and as their profiles say, and with the same configuration."""
    with standing_alone(admin, request):
        yield


def test_the_rings_are_in_the_plan_and_every_place_can_be_explained(admin: Admin):
    want_parameter(admin, 1)
    plan = admin.json("plan", "--all")
    assert [(ring["name"], len(ring["devices"])) for ring in plan["rings"]] == [("pilot", 1), ("broad", 4)]
    pilot = plan["rings"][0]["devices"][0]
    assert f"{pilot} is in ring pilot: at " in admin.mvpc("plan", "--all", "--why", pilot)


def test_a_reviewed_plan_is_rolled_out_exactly_or_refused(admin: Admin):
    before = parameters(admin)
    want_parameter(admin, 1)
    said = admin.mvpc("plan", "--all", "-o", "plan.json")
    assert "Written to plan.json. Next: mvpc rollout --plan plan.json" in said
    want_parameter(admin, 2)
    said = admin.mvpc("rollout", "--plan", "plan.json", "--yes", expect=1)
    assert "no longer fits" in said
    assert parameters(admin) == before
    want_parameter(admin, 1)
    assert admin.json("rollout", "--plan", "plan.json", "--yes")["rollout"]["state"] == "done"
    assert parameters(admin) == everywhere(admin, 1)


def test_above_a_number_of_devices_a_second_person_must_approve_this_very_plan(admin: Admin, monkeypatch):
    config = admin.root / "mvpc.toml"
    config.write_text(config.read_text() + "[rollout]\napprove_above = 3\n")
    want_parameter(admin, 3)
    said = admin.mvpc("plan", "--all", "-o", "plan.json")
    assert "Written to plan.json. Next, somebody else: mvpc rollout approve plan.json" in said
    said = admin.mvpc("rollout", "--plan", "plan.json", "--yes", expect=1)
    command = said.split("Let another person run: mvpc ")[1].split(".")[0].split()
    admin.mvpc(*command)
    assert "somebody else must approve" in admin.mvpc("rollout", "--plan", "plan.json", "--yes", expect=1)
    monkeypatch.setenv("SUDO_USER", "eva")
    admin.mvpc(*command)
    monkeypatch.delenv("SUDO_USER")
    admin.mvpc("rollout", "--plan", "plan.json", "--yes")
    assert parameters(admin) == everywhere(admin, 3)


def test_a_broken_profile_is_stopped_in_the_pilot_ring(admin: Admin):
    before = parameters(admin)
    ghost = (admin.root / "profiles/catalogue/tree.yml").read_text().replace("[tree]", "[no-such-package]")
    (admin.root / "profiles/catalogue/ghost.yml").write_text(ghost)
    want_parameter(admin, 4, extra="software:\n  ghost: present\n")
    done = admin.json("rollout", "--all", "--yes", expect=3)["rollout"]
    assert (done["state"], done["counts"]) == ("stopped", {"failed": 1})
    assert "1 of 1 devices failed in ring pilot" in done["reason"]
    found = parameters(admin)
    [pilot] = [name for name in LAPTOPS if found[name] == 4]
    assert found == before | {pilot: 4}
    want_parameter(admin, 4)
    admin.mvpc("rollout", "--all", "--yes")
    assert parameters(admin) == everywhere(admin, 4)


def test_a_laptop_that_comes_back_is_served_by_watch(admin: Admin):
    admin.mvpc("lab", "off", "lab-03")
    want_parameter(admin, 5)
    done = admin.json("rollout", "--all", "--yes")["rollout"]
    assert (done["state"], done["counts"]) == ("done", {"changed": 4, "unreachable": 1})
    assert "1 laptop waiting, 0 back" in admin.mvpc("rollout", "watch", "--once")
    admin.mvpc("lab", "on", "lab-03")
    want_parameter(admin, 6)  # what is newest is what it gets
    admin.mvpc("rollout", "watch", "--once")
    assert "kernel.panic = 6" in admin.on("lab-03", "cat /etc/sysctl.d/60-mvpc.conf")
    assert "0 laptops waiting" in admin.mvpc("rollout", "watch", "--once")
    admin.mvpc("rollout", "--all", "--yes")


def test_the_second_admin_is_told_who_is_at_work(admin: Admin):
    want_parameter(admin, 7)
    before = admin.newest_number()
    with admin.begin("rollout", "--all", "--yes") as first:
        with admin.stopped(first, after=before) as number:
            said = admin.mvpc("rollout", "--device", "lab-01", "--yes", expect=1)
        assert f"locked by rollout {number} of root since" in said
        assert first.wait(timeout=300) == 0, admin.log.read_text()
    assert parameters(admin) == everywhere(admin, 7)


def test_a_paused_rollout_rests_and_is_carried_on(admin: Admin):
    config = admin.root / "mvpc.toml"
    ring = '[[rollout.ring]]\nname = "ring-{0}"\npercent = {0}\n'
    config.write_text(config.read_text() + "".join(ring.format(share) for share in (20, 40, 60, 80, 100)))
    want_parameter(admin, 8)
    before = admin.newest_number()
    with admin.begin("rollout", "--all", "--yes") as first:
        with admin.stopped(first, after=before) as number:
            admin.mvpc("rollout", "pause", str(number))
        assert first.wait(timeout=300) == 5, admin.log.read_text()
    row = admin.newest_rollout()
    assert row
    assert row.state is RolloutState.PAUSED
    assert parameters(admin) != everywhere(admin, 8)
    admin.mvpc("rollout", "resume", str(number))
    assert parameters(admin) == everywhere(admin, 8)
