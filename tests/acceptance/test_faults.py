"""What goes wrong in the middle of a rollout, on real laptops: signals, full disks, cables, power, hangs, locks.

One laptop is held up: apt waits before dpkg begins, and leaves a mark by which a test knows that it is in the middle.
Nothing that was not proven may be called done, other laptops must not suffer, and everything must come to its end
afterwards. docs/explanation/reliability.md says the same in words.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from itertools import count
from pathlib import Path

import pytest

from mvpc.model import RolloutState
from tests.acceptance.admin import NEEDS_LAB, Admin, an_admin, standing_alone
from tests.acceptance.driver import eventually
from tests.acceptance.parameter import everywhere, parameters, want_parameter

LAPTOPS = ("lab-01", "lab-02", "lab-03", "lab-04")
SLOW = "lab-01"
MODELS = {"lab-01": "A", "lab-02": "A", "lab-03": "B", "lab-04": "B"}
ALL_AT_ONCE = '[[rollout.ring]]\nname = "all"\npercent = 100\nmax_failed_percent = 30\n'
SLOW_FIRST = f'[[rollout.ring]]\nname = "first"\npercent = 1\ndevices = ["{SLOW}"]\n' + ALL_AT_ONCE
GROWING = "".join(f'[[rollout.ring]]\nname = "{name}"\npercent = {name}\n' for name in (25, 50, 100))
BEYOND_DETECTION = 60 + 120
"""Seconds within which a rollout must end after a laptop has fallen silent: the fourth keep-alive after 15 s each ends
the session, and then a controller with much to do needs its time. TCP alone would take a quarter of an hour."""

SILENCE_SECONDS = int(os.environ.get("SILENCE", "0"))
"""How much longer a silent laptop stays so; SILENCE=3600 is the hour of those who have it."""

_values = count(1)

pytestmark = NEEDS_LAB


@pytest.fixture(scope="module")
def admin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Admin]:
    with an_admin(tmp_path_factory.mktemp("project"), name="flt", addresses="10.94.0.128/25") as person:
        person.furnish(LAPTOPS, models=MODELS)
        yield person


@pytest.fixture(autouse=True)
def nothing_is_left(admin: Admin, request: pytest.FixtureRequest) -> Iterator[None]:
    """Each test begins with laptops at rest, and as their profiles say."""
    mend = "sudo sh -c 'rm -f /etc/apt/apt.conf.d/99-*; dpkg --configure -a; dpkg --purge vendor-driver'"
    with standing_alone(admin, request, mend=mend):
        yield


def want(admin: Admin, *, rings: str = ALL_AT_ONCE, settings: str = "") -> int:
    """Let the next rollout change a file on every laptop, and a package on the slow one; returns the file's value."""
    value = next(_values)
    config = admin.root / "mvpc.toml"
    config.write_text(config.read_text().partition("[rollout]")[0] + f"[rollout]\n{settings}\n{rings}")
    want_parameter(admin, value)
    layer = admin.root / f"profiles/devices/{SLOW}.yml"
    layer.parent.mkdir(exist_ok=True)
    there = admin.on(SLOW, "ls /usr/bin/tree", check=False)
    layer.write_text(f"software: {{tree: {'absent' if there else 'present'}}}\n")
    return value


HOLD = 'DPkg::Pre-Invoke {"touch /run/middle; while [ -e /run/middle ]; do sleep 0.1; done";};'
"""Lets apt wait before it begins dpkg, until the mark is taken away (apt.conf(5))."""


@contextmanager
def held(admin: Admin) -> Iterator[None]:
    """Hold the next one up who works on packages of the slow laptop, until it is let go."""
    admin.on(SLOW, f"echo '{HOLD}' | sudo tee /etc/apt/apt.conf.d/99-hold; sudo rm -f /run/middle")
    try:
        yield
    finally:
        let_go(admin)


def let_go(admin: Admin, *, after: str = "") -> None:
    """Let apt go on; `after` so many seconds the laptop does so by itself."""
    later = f"systemd-run --quiet --on-active={after}" if after else ""
    admin.on(SLOW, f"sudo rm -f /etc/apt/apt.conf.d/99-hold; sudo {later} rm -f /run/middle")


def wait_for_the_middle(admin: Admin) -> None:
    """Until the slow laptop is at work."""
    deadline = time.monotonic() + 300
    while admin.on(SLOW, "ls /run/middle", check=False) == "":
        assert time.monotonic() < deadline, admin.log.read_text()
        time.sleep(0.2)


@contextmanager
def in_the_middle(admin: Admin) -> Iterator[subprocess.Popen[bytes]]:
    """A rollout that has come to the slow laptop, which is held up."""
    with held(admin), admin.begin("rollout", "--all", "--yes") as running:
        wait_for_the_middle(admin)
        yield running


APPLY = "'^/usr/bin/python3 -I -S -$'"
"""The device program among the processes of a laptop (pgrep(1))."""


def verdict(admin: Admin, laptop: str) -> str:
    return str(admin.json("status", laptop)["verdict"])


def assert_whole(admin: Admin) -> None:
    """Let SQLite look at every page of the database."""
    with closing(sqlite3.connect(admin.root / ".mvpc/mvpc.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def bring_to_an_end(admin: Admin, value: int) -> None:
    """Whatever was left must be done by the next sweep, rollout or resume, and be proven."""
    admin.mvpc("rollout", "watch", "--once")
    admin.mvpc("rollout", "--all", "--yes")
    assert parameters(admin) == everywhere(admin, value)
    assert {verdict(admin, name) for name in LAPTOPS} == {"ok"}


# --- signals (F26) ---------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_after_a_signal_the_laptop_at_work_finishes_and_nothing_new_begins(admin: Admin, number: signal.Signals):
    before = parameters(admin)
    value = want(admin, rings=SLOW_FIRST)
    with in_the_middle(admin) as running:
        running.send_signal(number)
        wait_until_heard(admin, number)
        let_go(admin)
        assert running.wait(timeout=300) == 128 + number, admin.log.read_text()
    row = admin.newest_rollout()
    assert row
    assert (row.state, row.counts) == (RolloutState.INTERRUPTED, {"changed": 2})
    assert "2 of 4 devices have no result yet" in row.reason
    assert f"Next: mvpc rollout resume {row.id}" in admin.log.read_text()
    found = parameters(admin)
    assert found[SLOW] == value
    assert sorted(found.values()) == [*sorted(before.values())[:2], value, value]
    admin.mvpc("rollout", "resume", str(row.id))
    assert parameters(admin) == everywhere(admin, value)


def wait_until_heard(admin: Admin, number: signal.Signals) -> None:
    """Until mvpc has said that it heeds the signal."""
    eventually(admin.log.read_text, f"mvpc: {number.name}: laptops that are being worked on finish")


def test_a_second_signal_ends_mvpc_at_once_and_the_laptop_finishes_by_itself(admin: Admin):
    value = want(admin, rings=SLOW_FIRST)
    with in_the_middle(admin) as running:
        running.send_signal(signal.SIGTERM)
        wait_until_heard(admin, signal.SIGTERM)
        time.sleep(1.2)  # sooner it would be the same signal, sent twice
        running.send_signal(signal.SIGTERM)
        assert running.wait(timeout=300) == 143, admin.log.read_text()
        row = admin.newest_rollout()
        assert row
        assert row.state is RolloutState.INTERRUPTED
        assert SLOW not in {result["device"] for result in admin.json("rollout", "show", str(row.id))["results"]}
        assert f"Next: mvpc rollout resume {row.id}" in admin.log.read_text()
        with admin.begin("rollout", "resume", str(row.id)) as resumed:
            eventually(
                lambda: admin.on(SLOW, f"pgrep -fc {APPLY}"), "2"
            )  # the one that is still at it, and the one that waits
            let_go(admin)
            assert resumed.wait(timeout=300) == 0, admin.log.read_text()
    assert parameters(admin) == everywhere(admin, value)


# --- the controller's disk (F3) --------------------------------------------------------------


@contextmanager
def state_on(admin: Admin, mount: Callable[[Path], object]) -> Iterator[Path]:
    """Let the state of the project lie on what is mounted over it, and take it back from there."""
    state, kept = admin.root / ".mvpc", admin.root / "known-state"
    copy(state, kept)
    mount(state)
    try:
        copy(kept, state)
        yield state
        shutil.rmtree(kept)
        copy(state, kept)
    finally:
        subprocess.run(["umount", "--lazy", state], check=True)
        copy(kept, state)
        shutil.rmtree(kept)


@contextmanager
def small_disk(admin: Admin, megabytes: int) -> Iterator[Path]:
    """Let the state of the project lie on a small disk of its own; yields a file that fills it."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=700", "tmpfs"]
    with state_on(admin, lambda state: subprocess.run([*mount, state], check=True)) as state:
        yield state / "filler"
        (state / "filler").unlink(missing_ok=True)


def copy(source: Path, target: Path) -> None:
    """The state without the images, which are a link."""
    shutil.copytree(source, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("images"))


def fill(filler: Path, *, leave: int = 0) -> None:
    """Take all room of the disk but `leave` bytes."""
    with filler.open("wb") as file:
        while True:
            disk = os.statvfs(filler)
            room = disk.f_bavail * disk.f_frsize - leave
            if room <= 0:
                return
            with suppress(OSError):  # somebody else took it meanwhile
                os.posix_fallocate(file.fileno(), os.fstat(file.fileno()).st_size, room)


def test_wherever_the_disk_of_the_controller_runs_full_the_state_is_kept_and_the_rollout_is_carried_on(admin: Admin):
    dice, codes = random.Random(int(os.environ.get("SEED", "2026"))), []
    with small_disk(admin, 90) as filler:
        want(admin)
        fill(filler, leave=40 << 20)
        assert "MB needed to begin" in admin.mvpc("rollout", "--all", "--yes", expect=1)
        filler.unlink()
        for _ in range(int(os.environ.get("FILLS", "5"))):
            value = want(admin)
            newest = admin.newest_number()
            with admin.begin("rollout", "--all", "--yes") as running:
                if 1 in codes:
                    with suppress(subprocess.TimeoutExpired):
                        running.wait(timeout=dice.uniform(0.3, 6))
                else:
                    admin.wait_for_a_rollout(after=newest)
                fill(filler)
                code, said = running.wait(timeout=300), admin.log.read_text()
            codes.append(code)
            assert code in {0, 1}, said
            assert "Traceback" not in said
            assert "an error inside mvpc itself" not in said
            assert code == 0 or "ree some space" in said, said
            filler.unlink()
            assert_whole(admin)
            if step := admin.next_step(newest):
                admin.mvpc(*step)
            assert parameters(admin) == everywhere(admin, value), said
    assert 1 in codes, "the disk was never full in time"


# --- the controller's power (F2) -------------------------------------------------------------


@contextmanager
def disk_as_a_file(admin: Admin) -> Iterator[Path]:
    """Let the state of the project lie on a disk of its own whose blocks are a file; yields that file."""
    disk = admin.root / "disk"
    subprocess.run(["truncate", "--size=160M", disk], check=True)
    # Linux looks at checksums of groups before it replays the journal, which brings those that were being written.
    subprocess.run(["mkfs.ext4", "-q", "-O", "^metadata_csum,^uninit_bg", disk], check=True)
    with state_on(admin, partial(insert, disk)) as state:
        subprocess.run(["sync", "--file-system", state], check=True)
        yield disk


def insert(disk: Path, state: Path) -> None:
    """Mount the disk where the state belongs; ext4 replays its journal, as after any power loss."""
    subprocess.run(["mount", "-o", "loop", disk, state], check=True)
    state.chmod(0o700)


def keep(disk: Path) -> Path:
    """A copy of the disk as it was at one moment: the kernel goes on writing to it when nobody else does."""
    after = disk.with_suffix(".after")
    same = False
    while not same:
        shutil.copyfile(disk, after)
        same = subprocess.run(["cmp", "--silent", disk, after], check=False).returncode == 0
    return after


def cut_power(admin: Admin, running: subprocess.Popen[bytes], disk: Path) -> None:
    """End mvpc and keep only what has reached the disk: files that were not flushed are lost or too short."""
    running.send_signal(signal.SIGSTOP)
    after = keep(disk)
    running.kill()
    running.wait()
    subprocess.run(["umount", "--lazy", admin.root / ".mvpc"], check=True)
    after.replace(disk)
    insert(disk, admin.root / ".mvpc")


def results_shown(admin: Admin) -> set[str]:
    """The laptops of which a result was shown."""
    return {line.split()[0] for line in admin.log.read_text().splitlines() if line.startswith("  lab-")}


def wait_for_a_result(admin: Admin, running: subprocess.Popen[bytes]) -> None:
    """Until one is shown, or there is nothing more to wait for."""
    deadline = time.monotonic() + 300
    while not results_shown(admin) and running.poll() is None:
        assert time.monotonic() < deadline, admin.log.read_text()
        time.sleep(0.05)


def test_a_controller_that_loses_its_power_has_every_result_it_told_and_carries_on(admin: Admin):
    dice, told = random.Random(int(os.environ.get("SEED", "2026"))), 0
    with disk_as_a_file(admin) as disk:
        for _ in range(int(os.environ.get("POWER_CUTS", "5"))):
            value = want(admin)
            newest = admin.newest_number()
            with admin.begin("rollout", "--all", "--yes") as running:
                if told:
                    with suppress(subprocess.TimeoutExpired):
                        running.wait(timeout=dice.uniform(1, 8))
                else:
                    wait_for_a_result(admin, running)
                cut_power(admin, running, disk)
            assert_whole(admin)
            shown = results_shown(admin)
            row = admin.newest_rollout()
            assert row
            recorded = {each["device"] for each in admin.json("rollout", "show", str(row.id))["results"]}
            assert shown <= recorded, admin.log.read_text()
            told += len(shown)
            if step := admin.next_step(newest):
                admin.mvpc(*step)
            assert parameters(admin) == everywhere(admin, value), admin.log.read_text()
    assert told, "the power was never cut after a result"


# --- cables, power, hangs (F5, F6, F16) ------------------------------------------------------


def test_a_cable_that_is_out_for_some_seconds_does_not_matter(admin: Admin):
    value = want(admin)
    with in_the_middle(admin) as running:
        let_go(admin, after="3")
        admin.lab.block(SLOW)
        time.sleep(10)
        admin.lab.unblock(SLOW)
        assert running.wait(timeout=300) == 0, admin.log.read_text()
    assert "4 changed, 4 verified, 0 failed" in admin.log.read_text()
    assert parameters(admin) == everywhere(admin, value)


LOSSY = """
table inet lossy {{
  chain input {{ type filter hook input priority 0; iif != "lo" numgen random mod 100 < {percent} counter drop; }}
  chain output {{ type filter hook output priority 0; oif != "lo" numgen random mod 100 < {percent} counter drop; }}
}}
"""


@contextmanager
def losing(admin: Admin, laptop: str, percent: int) -> Iterator[None]:
    """Lose so many of a hundred packets, each way, by chance."""
    inside = ["ip", "netns", "exec", admin.lab.network.namespace(laptop), "nft"]
    subprocess.run([*inside, "-f", "-"], input=LOSSY.format(percent=percent), text=True, check=True)
    try:
        yield
        said = subprocess.run([*inside, "list", "ruleset"], capture_output=True, text=True, check=True).stdout
        # One way alone may lose nothing: a laptop that was never reached said nothing.
        assert sum(map(int, re.findall(r"packets (\d+)", said))) > 0, said
    finally:
        subprocess.run([*inside, "delete", "table", "inet", "lossy"], check=True)


@pytest.mark.parametrize("percent", [5, 30])
def test_a_network_that_loses_packets_makes_nothing_fail(admin: Admin, percent: int):
    value = want(admin)
    with losing(admin, SLOW, percent):
        done = admin.json("rollout", "--all", "--yes")["rollout"]
    assert set(done["counts"]) <= {"changed", "unreachable"}
    assert done["counts"]["changed"] >= 3
    bring_to_an_end(admin, value)


def test_a_laptop_that_falls_silent_is_noticed_in_time_and_served_when_it_is_back(admin: Admin):
    value = want(admin)
    with in_the_middle(admin) as running:
        let_go(admin, after="20")
        admin.lab.block(SLOW)
        try:
            assert running.wait(timeout=BEYOND_DETECTION) == 0, admin.log.read_text()
            assert "3 changed, 3 verified, 0 failed, 1 unreachable" in admin.log.read_text()
            assert verdict(admin, SLOW) == "outdated"
            assert "1 laptop waiting, 0 back" in admin.mvpc("rollout", "watch", "--once")
            time.sleep(SILENCE_SECONDS)
        finally:
            admin.lab.unblock(SLOW)
    bring_to_an_end(admin, value)


def test_a_laptop_that_loses_its_power_in_the_middle_is_never_called_done_before_it_is(admin: Admin):
    before = parameters(admin)[SLOW]
    value = want(admin)
    with in_the_middle(admin) as running:
        admin.lab.stop(SLOW)
        admin.lab.start(SLOW)
        assert running.wait(timeout=BEYOND_DETECTION) == 0, admin.log.read_text()
    assert "3 changed, 3 verified, 0 failed, 1 unreachable" in admin.log.read_text()
    assert parameters(admin) == everywhere(admin, value) | {SLOW: before}
    assert verdict(admin, SLOW) == "outdated"
    bring_to_an_end(admin, value)


def test_a_laptop_that_hangs_is_given_up_after_its_time_and_the_others_do_not_wait_for_it(admin: Admin):
    value = want(admin, settings="component_seconds = 30")  # many times what the others need
    with in_the_middle(admin) as running:
        program = f"sudo kill -{{}} $(pgrep -f {APPLY})"
        admin.on(SLOW, program.format("STOP"))
        assert running.wait(timeout=300) == 3, admin.log.read_text()
        assert "3 changed, 3 verified, 1 failed" in admin.log.read_text()
        assert verdict(admin, SLOW) == "failed"
        admin.on(SLOW, program.format("KILL") + "; sudo kill -KILL $(pgrep apt-get)")
    bring_to_an_end(admin, value)


def test_a_laptop_whose_sshd_says_nothing_is_unreachable_and_the_others_are_served(admin: Admin):
    value = want(admin)
    admin.on(SLOW, "sudo systemctl kill --kill-whom=main --signal=STOP ssh.service")
    try:
        done = admin.json("rollout", "--all", "--yes")["rollout"]
        assert (done["counts"], done["verified"]) == ({"unreachable": 1, "changed": 3}, 3)
    finally:
        admin.lab.stop(SLOW)
        admin.lab.start(SLOW)
    bring_to_an_end(admin, value)


# --- packages (F7, F8) -----------------------------------------------------------------------


def test_a_laptop_that_is_busy_with_packages_is_deferred_names_who_and_is_served_later(admin: Admin):
    value = want(admin)
    admin.on(SLOW, "echo 'DPkg::Lock::Timeout \"1\";' | sudo tee /etc/apt/apt.conf.d/99-patience")
    with held(admin):
        admin.on(SLOW, "sudo systemd-run --collect --unit=somebody apt-get -q -y install --reinstall zip jq")
        wait_for_the_middle(admin)
        done = admin.json("rollout", "--all", "--yes")["rollout"]
    assert done["counts"] == {"deferred": 1, "changed": 3}
    [busy] = [result for result in done["results"] if result["outcome"] == "deferred"]
    assert busy["error"].startswith("packages are being worked on by apt-get (process ")
    assert verdict(admin, SLOW) == "outdated"
    admin.on(SLOW, "sudo rm /etc/apt/apt.conf.d/99-patience; while pgrep -x apt-get >/dev/null; do sleep 0.2; done")
    bring_to_an_end(admin, value)


BROKEN_PACKAGE = r"""
mkdir -p /tmp/p/DEBIAN
printf 'Package: vendor-driver\nVersion: 1\nArchitecture: all\nMaintainer: x <x@x.example>\nDescription: x\n' \
  >/tmp/p/DEBIAN/control
printf '#!/bin/sh\nexit 1\n' >/tmp/p/DEBIAN/postinst
chmod 755 /tmp/p/DEBIAN/postinst
dpkg-deb --build /tmp/p /tmp/p.deb
dpkg -i /tmp/p.deb || true
"""


def test_a_laptop_with_a_broken_package_needs_repair_and_the_helpdesk_is_told_how(admin: Admin):
    value = want(admin)
    admin.on(SLOW, f"sudo sh -c '{BROKEN_PACKAGE.replace(chr(39), chr(39) + chr(92) + chr(39) + chr(39))}'")
    assert "vendor-driver broken" in admin.mvpc("rollout", "--all", "--yes", expect=3)
    said = admin.mvpc("status", SLOW)
    assert "NEEDS_REPAIR" in said.replace(" ", "_").upper()
    assert "on the laptop, as root: dpkg --configure -a" in said
    admin.on(SLOW, "sudo dpkg --purge vendor-driver")
    bring_to_an_end(admin, value)


# --- a profile that is broken for one model (F20) --------------------------------------------


def test_a_profile_that_is_broken_for_one_model_harms_one_laptop_of_it_and_no_more(admin: Admin):
    before = parameters(admin)
    value = want(admin, rings=GROWING)
    broken = [name for name, model in MODELS.items() if model == "B"]
    for name in broken:
        admin.on(name, "sudo mount --bind -o ro /etc/sysctl.d /etc/sysctl.d")
    try:
        done = admin.json("rollout", "--all", "--yes", expect=3)["rollout"]
    finally:
        for name in broken:
            admin.on(name, "sudo umount /etc/sysctl.d")
    assert (done["state"], done["counts"]["failed"]) == ("stopped", 1)
    assert {name: parameters(admin)[name] for name in broken} == {name: before[name] for name in broken}
    bring_to_an_end(admin, value)
