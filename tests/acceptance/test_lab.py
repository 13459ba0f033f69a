"""The lab, seen from outside: real containers, real SSH, real apt, and what a crash leaves behind."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from mvpc import images
from mvpc.errors import LabError
from mvpc.images import Image
from mvpc.lab import Lab, Laptop, LaptopSpec, missing_requirements

PROJECT = Path(__file__).parents[2]
HOME = Path("/var/lib/mvpc-lab-test")
BRIDGE = "mvpctest"
NETWORK = "10.78.0.0/24"
NAMES = ("nb-lab-1", "nb-lab-2")

MISSING = sorted({*missing_requirements(), *images.missing_requirements()})

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(bool(MISSING), reason=f"the lab needs {', '.join(MISSING)} on Debian"),
]


@dataclass(frozen=True)
class Login:
    """An administrator with a key of their own, who believes only the host keys that the lab reports."""

    folder: Path

    @property
    def public_key(self) -> str:
        return (self.folder / "key.pub").read_text()

    def run(self, laptop: Laptop, command: str, *, knock_s: int = 30) -> subprocess.CompletedProcess[str]:
        known = self.folder / "known_hosts"
        known.write_text(f"{laptop.address} {laptop.host_key}\n")
        options = {
            "BatchMode": "yes",
            "ConnectTimeout": str(knock_s),
            "IdentitiesOnly": "yes",
            "StrictHostKeyChecking": "yes",
            "UserKnownHostsFile": str(known),
        }
        flags = [part for name, value in options.items() for part in ("-o", f"{name}={value}")]
        argv = ["ssh", "-F", "none", "-i", str(self.folder / "key"), *flags, f"mvpc-admin@{laptop.address}", command]
        return subprocess.run(argv, capture_output=True, text=True, timeout=600, check=False)

    def is_silent(self, laptop: Laptop) -> bool:
        """Whether ssh gives up on it."""
        return self.run(laptop, "true", knock_s=5).returncode == 255


@pytest.fixture(scope="module")
def image() -> Image:
    definition = images.load_definition(PROJECT / "images" / "standard")
    return images.build(definition, PROJECT / ".mvpc" / "images" / definition.name, on_step=print)


@pytest.fixture(scope="module")
def login(tmp_path_factory: pytest.TempPathFactory) -> Login:
    folder = tmp_path_factory.mktemp("login")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / "key")], check=True)
    return Login(folder)


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    lab = Lab(HOME, BRIDGE, IPv4Network(NETWORK))
    lab.down()
    shutil.rmtree(HOME, ignore_errors=True)
    try:
        yield lab
    finally:
        lab.down()
        shutil.rmtree(HOME)


@pytest.fixture
def laptops(lab: Lab, image: Image, login: Login) -> tuple[Laptop, ...]:
    """Two running laptops; those of an earlier test are used again, whatever became of it."""
    found = lab.up(image.path, [LaptopSpec(name) for name in NAMES], admin_key=login.public_key, on_step=print)
    for laptop in found:
        lab.unblock(laptop.hostname)
    return found


@pytest.fixture
def no_laptops(lab: Lab) -> None:
    """Nothing is left of an earlier test, whatever became of it."""
    lab.down()


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 300
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def processes_with(word: str) -> list[str]:
    listed = subprocess.run(["ps", "-eo", "stat,pid,args"], capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if word in line and not line.startswith("Z")]


def leftovers(word: str = "") -> list[str]:
    """What of the test's lab, or of what has this word in it, stays on this machine, seen without asking mvpc."""
    deadline = time.monotonic() + 60
    while (seen := [each for each in everything_of_the_lab() if word in each]) and time.monotonic() < deadline:
        time.sleep(0.2)  # a shell that was to start a program, and learns that nobody wants it any more
    return seen


def everything_of_the_lab() -> list[str]:
    links = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout.splitlines()
    spaces = subprocess.run(["ip", "netns"], capture_output=True, text=True, check=True).stdout.splitlines()
    mounts = Path("/proc/mounts").read_text().splitlines()
    alive = processes_with("")
    places = (f"mvpc-lab-{BRIDGE}*", f"*/mvpc-lab-{BRIDGE}*")
    groups = [str(path) for place in places for path in Path("/sys/fs/cgroup").glob(place)]
    seen = [line for line in (*links, *spaces, *mounts, *alive) if BRIDGE in line or f"{HOME}/" in line]
    return seen + groups


def test_a_laptop_is_reached_with_the_admin_key_and_has_the_host_key_that_the_lab_reports(laptops, login):
    for laptop in laptops:
        done = login.run(laptop, "hostname && sudo -n id -u && sudo cat /etc/ssh/ssh_host_ecdsa_key.pub")
        assert done.stdout.split("\n")[:2] == [laptop.hostname, "0"], done.stderr
        assert done.stdout.splitlines()[2].rstrip() == laptop.host_key


def test_every_laptop_has_an_identity_of_its_own(laptops, login):
    machine_ids = {login.run(laptop, "cat /etc/machine-id").stdout for laptop in laptops}

    assert len({laptop.host_key for laptop in laptops}) == len(machine_ids) == len(laptops)


def test_the_image_itself_has_no_identity(image):
    assert not list((image.rootfs / "etc/ssh").glob("ssh_host_*"))
    assert (image.rootfs / "etc/machine-id").read_text() == ""


def test_systemd_is_up_and_network_manager_answers(laptops, login):
    done = login.run(laptops[0], "systemctl is-system-running --wait; nmcli -t -f RUNNING general")

    assert done.stdout.split() == ["running", "running"], done.stderr


def test_passwords_and_root_are_turned_away(laptops, login):
    settings = login.run(laptops[0], "sudo sshd -T").stdout.lower().splitlines()

    assert {"passwordauthentication no", "permitrootlogin no", "kbdinteractiveauthentication no"} <= set(settings)


def test_packages_come_through_the_mirror_and_the_second_laptop_is_served_from_its_cache(lab, laptops, login):
    install = "sudo apt-get -q update && sudo apt-get install -q -y --no-install-recommends hello && hello"
    for laptop in laptops:
        done = login.run(laptop, install)
        assert done.stdout.endswith("Hello, world!\n"), done.stdout + done.stderr

    packages = [line.split() for line in lab.mirror.access_log.read_text().splitlines() if "hello_" in line]
    # apt asks again when the archive has broken off.
    served = {laptop.address: [line[4] for line in packages if line[0] == laptop.address] for laptop in laptops}
    assert served[laptops[0].address][0] == "MISS"
    assert set(served[laptops[1].address]) == {"HIT"}


def test_a_stopped_laptop_is_silent_and_comes_back_with_its_disk_and_host_key(lab, laptops, login):
    first = laptops[0]
    login.run(first, "echo kept > note")

    lab.stop(first.hostname)
    assert [laptop.running for laptop in lab.list()] == [False, True]
    assert login.is_silent(first)

    again = lab.start(first.hostname)
    assert again.host_key == first.host_key
    assert login.run(again, "cat note").stdout == "kept\n"


def test_a_laptop_that_reboots_comes_back_by_itself(laptops, login):
    boot = "cat /proc/1/stat | cut -d ' ' -f 22"
    before = login.run(laptops[0], boot).stdout
    assert before
    login.run(laptops[0], "sudo systemctl reboot")

    wait_for(lambda: login.run(laptops[0], boot).stdout not in {"", before})


def test_a_laptop_that_powers_itself_off_is_off(lab, laptops, login):
    login.run(laptops[0], "sudo systemctl poweroff")

    wait_for(lambda: not lab.list()[0].running)
    assert lab.start(laptops[0].hostname).host_key == laptops[0].host_key


def test_a_blocked_laptop_is_silent_until_it_is_unblocked(lab, laptops, login):
    lab.block(laptops[1].hostname)
    assert login.is_silent(laptops[1])
    lab.unblock(laptops[1].hostname)
    assert login.run(laptops[1], "true").returncode == 0


SHOUT = """
import pathlib, socket, time
shouting = socket.socket(type=socket.SOCK_DGRAM)
while not pathlib.Path("{start}").exists():
    time.sleep(0.1)
for _ in range(20):
    shouting.sendto(b"!", ("{address}", {port}))
    time.sleep(0.1)
pathlib.Path("{end}").touch()
"""
START, END = "/var/tmp/shout", "/var/tmp/shouted"


def on_disk(lab: Lab, laptop: Laptop, path: str) -> Path:
    """A file of a laptop, as the controller sees it."""
    return lab.home / "laptops" / laptop.hostname / "root" / path.lstrip("/")


def prepare_shout(lab: Lab, login, laptop: Laptop, ear: socket.socket) -> None:
    """Make a laptop ready to send something to this socket for two seconds, as soon as it is told to."""
    for path in (START, END):  # root's files, which nobody else may remove there
        on_disk(lab, laptop, path).unlink(missing_ok=True)
    ear.bind((laptop.address.rpartition(".")[0] + ".1", 0))
    ear.setblocking(False)
    address, port = ear.getsockname()
    program = shlex.quote(SHOUT.format(address=address, port=port, start=START, end=END))
    assert login.run(laptop, f"nohup python3 -c {program} >/dev/null 2>&1 &").returncode == 0


def shout(lab: Lab, laptop: Laptop) -> None:
    """Tell the laptop through its disk, and wait until it has shouted: its network may be cut off."""
    on_disk(lab, laptop, START).touch()
    wait_for(on_disk(lab, laptop, END).exists)


def test_what_a_blocked_laptop_says_is_not_heard_even_when_it_looks_for_the_controller_anew(lab, laptops, login):
    """It asks by ARP, and Linux would answer on the loose end of its cable for any address of the controller."""
    laptop = laptops[1]
    inside = ["ip", "-netns", lab.network.namespace(laptop.hostname)]
    with socket.socket(type=socket.SOCK_DGRAM) as ear:
        prepare_shout(lab, login, laptop, ear)
        shout(lab, laptop)
        assert ear.recv(1) == b"!"
    with socket.socket(type=socket.SOCK_DGRAM) as ear:
        prepare_shout(lab, login, laptop, ear)
        lab.block(laptop.hostname)
        subprocess.run([*inside, "neighbour", "flush", "all"], check=True)
        shout(lab, laptop)
        with pytest.raises(BlockingIOError):
            ear.recv(1)
    lab.unblock(laptop.hostname)
    assert login.run(laptop, "true").returncode == 0


def test_no_cable_has_the_address_of_the_bridge_by_which_it_would_be_heard_though_blocked(lab, laptops):
    shown = subprocess.run(["ip", "-json", "link"], capture_output=True, text=True, check=True).stdout
    links = {each["ifname"]: each["address"] for each in json.loads(shown) if each["ifname"].startswith(lab.bridge)}
    assert len(links) == len(laptops) + 1
    assert links.pop(lab.bridge) not in links.values()


def test_up_again_leaves_running_laptops_alone_and_adds_the_new_one(lab, laptops, image, login):
    wanted = [LaptopSpec(name) for name in (*NAMES, "nb-lab-3")]
    more = lab.up(image.path, wanted, admin_key=login.public_key, on_step=print)

    assert [laptop.pid for laptop in more[:2]] == [laptop.pid for laptop in laptops]
    lab.down(["nb-lab-3"])
    assert [laptop.hostname for laptop in lab.list()] == list(NAMES)
    assert leftovers("nb-lab-3") == []


def test_an_image_in_use_is_not_replaced(laptops, image):
    definition = images.load_definition(PROJECT / "images" / "standard")
    with pytest.raises(LabError, match="in use"):
        images.build(definition, image.path, on_step=print, force=True)


def test_down_leaves_nothing_and_is_harmless_when_repeated(lab, laptops):
    lab.down()
    assert leftovers() == []
    lab.down()


BUILDER = """
import sys
from pathlib import Path
from mvpc import images
images.build(images.load_definition(Path(sys.argv[1])), Path(sys.argv[2]), on_step=print)
"""


def test_a_build_that_is_killed_leaves_no_process_no_mount_and_no_image(tmp_path):
    target = tmp_path / "standard"
    argv = [sys.executable, "-c", BUILDER, str(PROJECT / "images" / "standard"), str(target)]
    with subprocess.Popen(argv, cwd=PROJECT, stdout=subprocess.DEVNULL) as builder:
        try:
            wait_for((tmp_path / ".standard.building/rootfs/var/lib/dpkg/info").exists)
        finally:
            builder.kill()

    wait_for(lambda: not processes_with(str(tmp_path)))
    assert str(tmp_path) not in Path("/proc/mounts").read_text()
    assert not target.exists()


CONTROLLER = """
import json, os, signal, sys, threading
from ipaddress import IPv4Network
from pathlib import Path
from mvpc.lab import Lab, LaptopSpec
from mvpc.lab.journal import Journal

order = json.loads(sys.argv[1])
notes = 0

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def step(text):
    if order["step"] and order["step"] in text:
        threading.Timer(order["after_s"], die).start() if order["after_s"] else die()

write = Journal.note
def note(self, *made):
    global notes
    write(self, *made)
    notes += 1
    if notes == order["note"]:
        die()
Journal.note = note

lab = Lab(Path(order["home"]), order["bridge"], IPv4Network(order["network"]))
specs = [LaptopSpec(name) for name in order["names"]]
lab.up(Path(order["image"]), specs, admin_key=order["key"], on_step=step)
print("survived")
"""


def killed(image: Image, login: Login, *, step: str = "", after_s: float = 0, note: int = 0) -> int:
    """Let a process of its own make the laptops, killed with SIGKILL at the given point; its exit code."""
    order = {
        "step": step,
        "after_s": after_s,
        "note": note,
        "home": str(HOME),
        "bridge": BRIDGE,
        "network": NETWORK,
        "names": NAMES,
        "image": str(image.path),
        "key": login.public_key,
    }
    done = subprocess.run([sys.executable, "-c", CONTROLLER, json.dumps(order)], timeout=900, check=False, cwd=PROJECT)
    return done.returncode


@pytest.mark.parametrize("step", ["bridge", "mirror", ": disk", ": settings", ": network", ": boot", ": ready"])
def test_a_controller_killed_at_any_step_leaves_nothing_after_down(lab, no_laptops, image, login, step):
    assert killed(image, login, step=step) == -signal.SIGKILL
    lab.down()
    assert leftovers() == []


@pytest.mark.parametrize("note", range(1, 10))
def test_a_controller_killed_between_a_note_and_its_deed_leaves_nothing_after_down(lab, no_laptops, image, login, note):
    assert killed(image, login, note=note) == -signal.SIGKILL
    lab.down()
    assert leftovers() == []


@pytest.mark.parametrize("after_s", [0.003, 0.01, 0.03, 0.1, 0.3])
def test_a_controller_killed_in_the_middle_of_a_boot_leaves_nothing_after_down(lab, no_laptops, image, login, after_s):
    assert killed(image, login, step=": boot", after_s=after_s) == -signal.SIGKILL
    lab.down()
    assert leftovers() == []


def test_laptops_come_up_after_a_crash_without_down(lab, no_laptops, image, login):
    assert killed(image, login, step=": boot", after_s=0.1) == -signal.SIGKILL

    specs = [LaptopSpec(name) for name in NAMES]
    after = lab.up(image.path, specs, admin_key=login.public_key, on_step=print)
    assert all(login.run(laptop, "true").returncode == 0 for laptop in after)
    lab.down()
    assert leftovers() == []


def test_a_dead_container_is_seen_and_its_console_is_named(lab, laptops):
    pid = laptops[0].pid
    container = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    wait_for(lambda: "Reached target" in lab.console(laptops[0].hostname).read_text(errors="replace"))
    os.kill(int(container), signal.SIGKILL)

    wait_for(lambda: not lab.list()[0].running)
    assert "Reached target" in lab.console(laptops[0].hostname).read_text(errors="replace")


def test_a_foreign_interface_of_the_same_name_is_not_taken_over(lab, no_laptops, image, login):
    subprocess.run(["ip", "link", "add", BRIDGE, "type", "bridge"], check=True)
    try:
        with pytest.raises(LabError, match="is not the lab's"):
            lab.up(image.path, [LaptopSpec("nb-lab-1")], admin_key=login.public_key, on_step=print)
        lab.down()
        assert Path("/sys/class/net", BRIDGE).exists()
    finally:
        subprocess.run(["ip", "link", "delete", BRIDGE], check=True)
