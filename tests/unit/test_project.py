from __future__ import annotations

import pytest

from mvpc.errors import InputError
from mvpc.project import find_project
from mvpc.schedule import Limits


def test_the_project_is_found_from_any_folder_inside(tmp_path):
    (tmp_path / "mvpc.toml").write_text("")
    (tmp_path / "profiles" / "ressorts").mkdir(parents=True)
    project = find_project(tmp_path / "profiles" / "ressorts")
    assert (project.root, project.state, project.ssh_user) == (tmp_path, tmp_path / ".mvpc", "mvpc-admin")


def test_settings_replace_defaults(tmp_path):
    (tmp_path / "mvpc.toml").write_text('[ssh]\nport = 2222\nkey = "keys/admin"\n[state]\nfolder = "/var/lib/mvpc"\n')
    project = find_project(tmp_path)
    assert (project.ssh_port, project.ssh_key) == (2222, tmp_path / "keys" / "admin")
    assert str(project.database) == "/var/lib/mvpc/mvpc.db"


def test_every_mistake_is_named_at_once(tmp_path):
    (tmp_path / "mvpc.toml").write_text('[ssh]\nport = "22"\nusr = "x"\n[labor]\n')
    with pytest.raises(InputError) as caught:
        find_project(tmp_path)
    assert [str(problem) for problem in caught.value.problems] == [
        "mvpc.toml: ssh.port must be of type int.",
        "mvpc.toml: ssh.usr is not known. Known: user, port, key.",
        "mvpc.toml: [labor] is not known. Known sections: ssh, state, organisation, identity, lab, rollout.",
    ]


def test_a_share_may_be_a_whole_number_and_must_be_one(tmp_path):
    (tmp_path / "mvpc.toml").write_text("[rollout]\nsample_percent = 2\n")
    assert find_project(tmp_path).sample_percent == 2
    (tmp_path / "mvpc.toml").write_text("[rollout]\nsample_percent = 101\n")
    with pytest.raises(InputError, match=r"rollout\.sample_percent must be between 0 and 100"):
        find_project(tmp_path)


def test_broken_toml_names_the_line(tmp_path):
    (tmp_path / "mvpc.toml").write_text("[ssh]\nport = \n")
    with pytest.raises(InputError, match="line 2"):
        find_project(tmp_path)


def test_outside_of_any_project_the_next_step_is_named(tmp_path):
    with pytest.raises(InputError, match="--project FOLDER"):
        find_project(tmp_path)


def test_the_state_folder_is_private(tmp_path):
    (tmp_path / "mvpc.toml").write_text("")
    assert find_project(tmp_path).make_state().stat().st_mode & 0o777 == 0o700


def test_rings_come_from_the_file_and_default_to_three(tmp_path):
    (tmp_path / "mvpc.toml").write_text("")
    assert [(ring.name, ring.percent) for ring in find_project(tmp_path).rings] == [
        ("pilot", 1),
        ("early", 10),
        ("broad", 100),
    ]
    (tmp_path / "mvpc.toml").write_text(
        "[rollout]\napprove_above = 500\n"
        '[[rollout.ring]]\nname = "pilot"\npercent = 5\nauthorities = ["ZDMV"]\nmanual = true\n'
        '[[rollout.ring]]\nname = "all"\npercent = 100\nquorum_percent = 50.5\n'
    )
    project = find_project(tmp_path)
    pilot, rest = project.rings
    assert (pilot.authorities, pilot.gate.manual, pilot.gate.max_failed) == (("zdmv",), True, 5)
    assert (rest.percent, rest.gate.quorum_percent, project.approve_above) == (100, 50.5, 500)


def test_every_mistake_in_the_rings_is_named(tmp_path):
    (tmp_path / "mvpc.toml").write_text(
        '[[rollout.ring]]\nname = "pilot"\npercent = -1\nquorum = 80\n[[rollout.ring]]\npercent = "all"\n'
    )
    with pytest.raises(InputError) as caught:
        find_project(tmp_path)
    assert [problem.what for problem in caught.value.problems] == [
        "rollout.ring 1: percent must not be negative",
        "rollout.ring 1: quorum is not known",
        "rollout.ring 2: name is missing",
        "rollout.ring 2: percent must be of type int",
    ]


@pytest.mark.parametrize("shares", [(10, 5, 100), (1, 10), (100, 100)])
def test_rings_must_rise_to_the_whole_fleet(tmp_path, shares):
    tables = (f'[[rollout.ring]]\nname = "{n}"\npercent = {share}\n' for n, share in enumerate(shares))
    (tmp_path / "mvpc.toml").write_text("".join(tables))
    with pytest.raises(InputError, match="end with 100"):
        find_project(tmp_path)


def test_the_schedule_of_rollouts_has_defaults_in_the_file(tmp_path):
    (tmp_path / "mvpc.toml").write_text(
        '[rollout]\nnot_after = "14d"\nwindow = "Mo-Fr 18:00-06:00"\ntimezone = "Europe/Berlin"\n'
    )
    project = find_project(tmp_path)
    assert (project.limits, project.timezone) == (Limits(not_after="14d", window="Mo-Fr 18:00-06:00"), "Europe/Berlin")


def test_every_mistake_in_the_schedule_is_named(tmp_path):
    (tmp_path / "mvpc.toml").write_text('[rollout]\nnot_after = "2026-12-24"\nwindow = "18-6"\ncatch_up = "no"\n')
    with pytest.raises(InputError) as caught:
        find_project(tmp_path)
    assert [problem.what for problem in caught.value.problems] == [
        "rollout.not_after is no time span",
        "rollout.window is no window",
        "rollout.catch_up must be one of next-window, at-once, drop",
    ]


@pytest.mark.parametrize("name", ["Europe/Schwerin", "../../etc/passwd", "/etc/passwd", "Europe"])
def test_a_time_zone_that_does_not_exist_is_refused(tmp_path, name):
    (tmp_path / "mvpc.toml").write_text(f'[rollout]\ntimezone = "{name}"\n')
    with pytest.raises(InputError, match=r"mvpc.toml: rollout\.timezone is no time zone known here"):
        find_project(tmp_path)
