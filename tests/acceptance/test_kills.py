"""The controller dies at random moments of a rollout, and laptops still end as if nothing had happened.

`make torture` does it ten times as often, with suffering laptops in between. Every failure names the seed that throws
the dice once more: `SEED=7 pytest tests/acceptance/test_kills.py`.

The expected end is measured, not written down: two profiles are rolled out undisturbed, and everything that they may
touch on the laptops is read. Then each change from one to the other is killed some times in a row, carried on by what
mvpc says, and must end in the same state.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import pytest

from tests.acceptance.admin import NEEDS_LAB, Admin, an_admin

LAPTOPS = tuple(f"lab-{number:02}" for number in range(1, 6))
KILLS = int(os.environ.get("KILLS", "50"))
SEED = int(os.environ.get("SEED", "2026"))
ROUGH = bool(os.environ.get("ROUGH"))
"""Whether laptops suffer too, between two attempts."""

SIGNALS = (*[signal.SIGKILL] * 6, signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""What ends the controller; only kills are counted."""

ONE_RING = '[[rollout.ring]]\nname = "all"\npercent = 100\n'
TWO_RINGS = '[[rollout.ring]]\nname = "few"\npercent = 40\n' + ONE_RING

PROFILES = {
    "with": """
base:
  sysctl: {kernel.panic: 11, kernel.printk_ratelimit: 3}
software: {tree: present, qpdf: absent}
wifi: {networks: {annex: {ssid: Annex, security: sae, psk: {secret: wifi/guest-psk}}}}
""",
    "without": """
base:
  sysctl: {kernel.panic: 22}
  updates: {automatic: false}
  timezone: Europe/Vienna
software: {tree: absent, qpdf: present}
""",
}
"""Files that come, change and go; packages that come and go; units and connections that do."""

STATE = r"""
cd /
find etc var/lib/mvpc -xdev -printf '%p %M %u %g %l\n' | grep -v -e '^var/lib/mvpc/lock' -e /apt-updated | sort
find etc -xdev -type f -print0 | sort -z | xargs -0 sha256sum
dpkg-query --show --showformat '${db:Status-Abbrev} ${Package} ${Version}\n'
systemctl list-unit-files --no-legend --no-pager
nmcli --terse --fields NAME,UUID,TYPE connection show | sort
python3 -c "import json; ledger = json.load(open('/var/lib/mvpc/ledger.json'));
print({name: (part['digest'], part['pending']) for name, part in sorted(ledger['components'].items())})"
"""
"""Everything that mvpc may touch, as text."""

pytestmark = NEEDS_LAB


@pytest.fixture(scope="module")
def admin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Admin]:
    with an_admin(tmp_path_factory.mktemp("project"), name="kill", addresses="10.94.0.0/25") as person:
        want(person, "without")
        person.furnish(LAPTOPS)
        yield person


def end_state(admin: Admin) -> dict[str, list[str]]:
    """What each laptop is now, line by line."""
    return {name: text.splitlines() for name, text in admin.on_all(f"sudo sh -c '{quoted(STATE)}'").items()}


def quoted(text: str) -> str:
    return text.replace("'", r"'\''")


def want(admin: Admin, profile: str, *, rings: str = ONE_RING) -> None:
    """Bring profiles and rings to what the next rollout shall do."""
    config = admin.root / "mvpc.toml"
    config.write_text(config.read_text().partition("[[rollout.ring]]")[0] + rings)
    (admin.root / "profiles/authorities/zdmv.yml").write_text(PROFILES[profile])


@dataclass(frozen=True)
class Moment:
    """When to kill: so many seconds after something has happened."""

    name: str
    has_come: Callable[[Admin, subprocess.Popen[bytes]], bool]
    seconds: float


def a_moment(dice: random.Random, life: float) -> Moment:
    """Anywhere in the life of a rollout, or close to one of the moments that matter most."""
    count = dice.randint(1, 12)
    return dice.choice(
        [
            Moment("anywhere", lambda *_: True, dice.uniform(0.2, life)),
            Moment("anywhere", lambda *_: True, dice.uniform(0.2, life)),
            Moment(f"result {count}", lambda admin, _: results_shown(admin) >= count, dice.uniform(0, 0.2)),
            Moment(f"commit {count}", commits(count), dice.uniform(0, 0.02)),
            Moment("ansible begins", lambda _, process: bool(ansible_of(process)), dice.uniform(0, 1.5)),
            Moment("ansible ends", ansible_ends(), dice.uniform(0, 0.3)),
        ]
    )


def results_shown(admin: Admin) -> int:
    return admin.log.read_bytes().count(b"\n  lab-")


def commits(wanted: int) -> Callable[[Admin, subprocess.Popen[bytes]], bool]:
    """Whether the database was written to so many times since the first look."""
    seen: set[tuple[int, int]] = set()

    def have_come(admin: Admin, _: object) -> bool:
        try:
            about = (admin.root / ".mvpc/mvpc.db-wal").stat()
        except FileNotFoundError:
            return False
        seen.add((about.st_mtime_ns, about.st_size))
        return len(seen) > wanted

    return have_come


def ansible_of(process: subprocess.Popen[bytes]) -> list[str]:
    """Child processes of mvpc (proc_pid_task_children(5))."""
    try:
        return Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    except OSError:
        return []


def ansible_ends() -> Callable[[Admin, subprocess.Popen[bytes]], bool]:
    began = False

    def has_ended(_: Admin, process: subprocess.Popen[bytes]) -> bool:
        nonlocal began
        running = bool(ansible_of(process))
        began = began or running
        return began and not running

    return has_ended


def end(admin: Admin, process: subprocess.Popen[bytes], moment: Moment, number: signal.Signals) -> int:
    """Send the process a signal at the moment, unless it has come to its end before; returns how it ended."""
    # What Python does with a signal before it has started mvpc is no matter of mvpc's.
    while process.poll() is None and not (heeds_signals(process) or number is signal.SIGKILL):
        time.sleep(0.002)
    while process.poll() is None and not moment.has_come(admin, process):
        time.sleep(0.002)
    try:
        process.wait(timeout=moment.seconds)
    except subprocess.TimeoutExpired:
        os.kill(process.pid, number)
    return process.wait()


def heeds_signals(process: subprocess.Popen[bytes]) -> bool:
    """Whether mvpc has got so far: SIGHUP is the last one that it sees to (proc_pid_status(5))."""
    try:
        status = Path(f"/proc/{process.pid}/status").read_text()
    except OSError:
        return False
    caught = int(status.partition("SigCgt:")[2].split()[0], 16)
    return bool(caught >> (signal.SIGHUP - 1) & 1)


def rough(dice: random.Random, admin: Admin) -> str:
    """Let a laptop suffer while nobody is at work; what happens to it in the middle is test_faults' task."""
    name = dice.choice(LAPTOPS)
    kind = dice.choice(["power", "drift", "lock"])
    if kind == "power":
        admin.lab.stop(name)
        admin.lab.start(name)
    elif kind == "drift":
        admin.on(name, "sudo rm -f /etc/sysctl.d/60-mvpc.conf")
    else:
        admin.on(name, "sudo systemd-run -q flock /var/lib/mvpc/lock sleep 5")
    return f"{kind} {name}"


@dataclass
class Undisturbed:
    """How it is when nothing goes wrong."""

    states: dict[str, dict[str, list[str]]]
    seconds: float


@pytest.fixture(scope="module")
def undisturbed(admin: Admin) -> Undisturbed:
    states, seconds = {}, 0.0
    for profile in ("with", "without"):
        want(admin, profile)
        began = time.monotonic()
        admin.mvpc("rollout", "--all", "--yes")
        seconds = time.monotonic() - began
        states[profile] = end_state(admin)
    return Undisturbed(states, seconds)


def test_the_two_profiles_differ_in_files_packages_units_and_connections(undisturbed: Undisturbed):
    differing = set(undisturbed.states["with"]["lab-01"]) ^ set(undisturbed.states["without"]["lab-01"])
    for part in ("etc/sysctl.d/60-mvpc.conf", "ii  tree", "ii  qpdf", "apt-daily.timer", "mvpc-wifi-annex:"):
        assert any(part in line for line in differing), part


def test_wherever_the_controller_dies_the_end_state_is_that_of_an_undisturbed_run(
    admin: Admin, undisturbed: Undisturbed
):
    dice = random.Random(SEED)
    kills, changes = 0, 0
    while kills < KILLS:
        changes += 1
        profile = ("with", "without")[(changes + 1) % 2]
        want(admin, profile, rings=dice.choice([ONE_RING, ONE_RING, TWO_RINGS]))
        newest = admin.newest_number()
        story = [f"SEED={SEED}", f"change {changes} to {profile}"]
        for _ in range(dice.randint(2, 5)):
            step = admin.next_step(newest)
            if not step:
                break
            if ROUGH and dice.random() < 0.3:
                story.append(rough(dice, admin))
            moment = a_moment(dice, undisturbed.seconds)
            number = dice.choice(SIGNALS)
            with admin.begin(*step) as process:
                code = end(admin, process, moment, number)
            story.append(f"{' '.join(step)}: {number.name} at {moment.name} + {moment.seconds:.2f} s: exit {code}")
            # Python's last act is to let go of signals; by then all is done and said, and the system ends the process.
            assert code in {0, -signal.SIGKILL, 128 + number, -number}, (story, admin.log.read_text())
            assert b"Traceback" not in admin.log.read_bytes(), (story, admin.log.read_text())
            kills += code == -signal.SIGKILL
        # A rollout that has waited long enough for a laptop leaves it to the watch.
        steps = iter(partial(admin.next_step, newest), [])
        story += [admin.mvpc(*step) for step in islice(steps, 2)]
        sys.stdout.write(f"{kills} kills\n  " + "\n  ".join(story) + "\n")
        assert admin.next_step(newest) == [], story
        assert_same(end_state(admin), undisturbed.states[profile], story)
    plan = admin.json("plan", "--all")
    assert plan["changes"] == []
    assert {skip["why"] for skip in plan["skipped"]} == {"unchanged"}
    if not ROUGH:
        installed = admin.on_all("zgrep -h ' install tree:' /var/log/dpkg.log* | wc -l")
        assert set(installed.values()) == {f"{1 + (changes + 1) // 2}\n"}, "no step was done twice"


def assert_same(found: dict[str, list[str]], wanted: dict[str, list[str]], story: list[str]) -> None:
    for name in LAPTOPS:
        assert sorted(set(found[name]) ^ set(wanted[name])) == [], (name, story)
