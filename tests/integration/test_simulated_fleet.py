"""A rehearsal through the real command line: some hundred simulated laptops, from the first plan to the last back."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from mvpc.model import Outcome
from mvpc.store.read import Reader

SAMPLE = Path(__file__).parents[2]
NUMBER = 300


@dataclass
class Rehearsal:
    root: Path

    def mvpc(self, *arguments: str, expect: int = 0) -> subprocess.CompletedProcess[str]:
        argv, nothing = [sys.executable, "-m", "mvpc", *arguments], subprocess.DEVNULL
        done = subprocess.run(
            argv, cwd=self.root, stdin=nothing, capture_output=True, text=True, timeout=600, check=False
        )
        assert done.returncode == expect, f"{arguments}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    @contextmanager
    def begun(self, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
        """A command that runs; it is killed at the end."""
        argv, nothing = [sys.executable, "-m", "mvpc", *arguments], subprocess.DEVNULL
        with subprocess.Popen(argv, cwd=self.root, stdin=nothing, stdout=nothing) as process:
            try:
                yield process
            finally:
                process.kill()

    def behave(self, **chances: float) -> None:
        text = "".join(f"{name} = {value}\n" for name, value in {"slow": 0, "component_seconds": 0, **chances}.items())
        (self.root / "simulated.toml").write_text(text)

    def verified(self) -> int:
        """Laptops that hold, by their own word, all that their profiles say."""
        plan = json.loads(self.mvpc("plan", "--json").stdout)
        assert plan["changes"] == []
        return [skipped["why"] for skipped in plan["skipped"]].count("unchanged")

    def results(self) -> dict[tuple[str, str], Outcome]:
        with Reader(self.root / ".mvpc" / "mvpc.db") as reader:
            found = reader.rollout(1).results if reader.rollouts() else ()
        return {(each.device, each.component): each.outcome for each in found}


@pytest.fixture
def rehearsal(tmp_path: Path) -> Rehearsal:
    for name in ("profiles", "inventory"):
        shutil.copytree(SAMPLE / name, tmp_path / name)
    (tmp_path / "mvpc.toml").write_text('[organisation]\noperator = "zdmv"\n[rollout]\nsample_percent = 0.0\n')
    Rehearsal(tmp_path).mvpc("lab", "simulate", str(NUMBER))
    assert not (tmp_path / ".mvpc").exists(), "the real state must stay as it was"
    return Rehearsal(tmp_path / ".mvpc-simulated")


def test_laptops_that_were_away_are_served_by_watch_when_they_are_back(rehearsal: Rehearsal):
    rehearsal.behave(away=20, failing=0, hanging=0, away_seconds=10**9)
    rehearsal.mvpc("rollout", "--all", "--yes")
    away = {name for (name, _), outcome in rehearsal.results().items() if outcome is Outcome.UNREACHABLE}
    assert 30 < len(away) < 90
    assert rehearsal.verified() == NUMBER - len(away)

    rehearsal.behave(away=0, failing=0, hanging=0)
    assert f"{len(away)} laptops waiting, {len(away)} back" in rehearsal.mvpc("rollout", "watch", "--once").stdout
    assert rehearsal.verified() == NUMBER
    assert "Nothing to do" in rehearsal.mvpc("rollout", "--all", "--yes").stdout


def test_a_killed_rollout_is_resumed_and_does_nothing_twice(rehearsal: Rehearsal):
    rehearsal.behave(away=0, failing=0, hanging=0, component_seconds=0.5)
    with rehearsal.begun("rollout", "--all", "--yes") as rollout:
        while len(rehearsal.results()) <= 200:
            assert rollout.poll() is None
            time.sleep(0.02)
    before = set(rehearsal.results())
    assert 200 < len(before) < 4 * NUMBER

    rehearsal.behave(away=0, failing=0, hanging=0)
    events = map(json.loads, rehearsal.mvpc("rollout", "resume", "1", "--json").stdout.splitlines())
    again = {(event["device"], event["component"]) for event in events if event["event"] == "result"}
    assert again
    assert not again & before
    assert set(rehearsal.results()) >= before | again
    assert rehearsal.verified() == NUMBER


def test_of_many_results_those_that_failed_are_shown_and_the_others_counted(rehearsal: Rehearsal):
    rehearsal.behave(away=0, failing=1, hanging=0)
    rehearsal.mvpc("rollout", "--all", "--yes", expect=3)
    failed = {name for (name, _), outcome in rehearsal.results().items() if outcome is Outcome.FAILED}
    shown = rehearsal.mvpc("rollout", "show", "1").stdout
    assert f"{len(failed)} device{'s' if len(failed) > 1 else ''} failed" in shown
    assert len(shown.splitlines()) < 60
    listed = rehearsal.mvpc("rollout", "show", "1", "--failed").stdout
    assert set(re.findall(r"sim-\d+", listed)) == failed != set()


def test_a_fleet_that_fails_is_stopped_in_the_pilot_ring(rehearsal: Rehearsal):
    rehearsal.behave(away=0, failing=100, hanging=0)
    assert "failed in ring pilot" in rehearsal.mvpc("rollout", "--all", "--yes", expect=3).stdout
    assert len({name for name, _ in rehearsal.results()}) == NUMBER // 100


def test_laptops_that_hang_are_given_up(rehearsal: Rehearsal):
    rehearsal.behave(away=0, failing=0, hanging=100, component_seconds=0.001)
    rehearsal.mvpc("rollout", "--device", "sim-000001", "--yes", expect=3)
    assert set(rehearsal.results().values()) == {Outcome.FAILED}


def test_nothing_of_it_can_be_taken_for_the_real_fleet(rehearsal: Rehearsal, tmp_path: Path):
    rehearsal.behave(away=0, failing=0, hanging=0)
    rehearsal.mvpc("rollout", "--device", "sim-000001", "--yes")
    for command in ("plan", "status", "status sim-000001", "rollout list", "rollout show 1", "device list"):
        assert rehearsal.mvpc(*command.split()).stderr.startswith("SIMULATED: no laptop of "), command
    for command in ("plan --json", "status --json", "status sim-000001 --json", "rollout show 1 --json"):
        assert json.loads(rehearsal.mvpc(*command.split()).stdout)["simulated"] is True, command
    for command in ("plan", "rollout list", "rollout show 1"):
        assert "SIMULATED" in rehearsal.mvpc(*command.split()).stdout
    rehearsal.mvpc("rollout", "report", "1", "-o", str(tmp_path / "page.html"))
    rehearsal.mvpc("rollout", "metrics", "-o", str(tmp_path / "numbers.prom"))
    assert "SIMULATED" in (tmp_path / "page.html").read_text()
    names = {line.partition("{")[0] for line in (tmp_path / "numbers.prom").read_text().splitlines() if line[0] != "#"}
    assert all(name.startswith("mvpc_simulated_") for name in names)


def test_real_laptops_are_out_of_reach_from_there(rehearsal: Rehearsal):
    for command in ("lab up 1", "lab list", "lab down", "lab simulate 5"):
        refused = rehearsal.mvpc(*command.split(), expect=2)
        assert "all laptops of this folder are simulated" in refused.stderr, command


def test_plain_ansible_finds_no_laptops_there(rehearsal: Rehearsal):
    shutil.copy(SAMPLE / "inventory" / "mvpc.yml", rehearsal.root / "inventory")
    done = subprocess.run(
        [Path(sys.executable).with_name("ansible-inventory"), "-i", "inventory/mvpc.yml", "--list"],
        cwd=rehearsal.root,
        env={"PATH": os.environ["PATH"], "HOME": str(rehearsal.root), "ANSIBLE_CONFIG": str(SAMPLE / "ansible.cfg")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "all laptops of this folder are simulated" in done.stderr
    assert "sim-" not in done.stdout
