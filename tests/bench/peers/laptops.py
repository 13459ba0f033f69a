"""The laptops of the comparison, and mvpc's project that knows them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Network
from pathlib import Path

from mvpc.device import PYTHON, component_to_dict, parse_answer, program
from mvpc.fleet import Fleet, Selection
from mvpc.lab import Lab, missing_requirements
from mvpc.model import Bundle, Connection, Device, File
from mvpc.project import load_project

SOURCE = Path(__file__).parents[3]
HOME, BRIDGE, ADDRESSES = "/dev/shm/mvpc-lab-bench", "mvpcbench", "10.82.0.0/24"
"""In memory, since the laptops would otherwise share one disk, which each of them has for itself in real life."""
CONFIG = f"""
[lab]
home = "{HOME}"
bridge = "{BRIDGE}"
addresses = "{ADDRESSES}"
[[rollout.ring]]
name = "all"
percent = 100
"""
"""One ring, since the peers have none: rings are waited for on purpose."""
HEADER = (
    "Inventarnummer;Rechnername;Seriennummer;Hersteller;Modell;Betriebssystem;Arbeitsplatzprofil;Behörde;Standort;"
    "Raum;Status"
)
NOBODY = "02:00:00:00:00:01"


@dataclass(frozen=True, kw_only=True, slots=True)
class Laptops:
    """A number of equal laptops of the sample project: standard workplaces of the tax office."""

    root: Path
    """mvpc's project, with a state of its own."""
    names: tuple[str, ...]

    def mvpc(self, *arguments: str) -> str:
        """Run a command of mvpc that nobody measures."""
        done = subprocess.run(
            [sys.executable, "-m", "mvpc", *arguments], cwd=self.root, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SystemExit(f"mvpc {arguments}: {done.stdout}{done.stderr}")
        return done.stdout

    def renew(self, names: Sequence[str]) -> None:
        """Remove all laptops and make the first ones anew, as they are when they leave the factory."""
        _lab().down()
        self.mvpc("lab", "up", str(len(names)))

    def switch_off(self, names: Sequence[str]) -> None:
        """Take the power away. Whoever calls hears nothing, not even that nobody is there, as over a VPN."""
        devices = {device.hostname: device for device, _ in self.bundles()}
        for name in names:
            _lab().stop(name)
            nobody = ["lladdr", NOBODY, "dev", BRIDGE, "nud", "permanent"]
            subprocess.run(["ip", "neighbour", "replace", devices[name].address, *nobody], check=True)

    def change(self, turn: int) -> None:
        """Change one file of one component everywhere: a kernel setting of the base."""
        path = self.root / "profiles/base.yml"
        text, number = re.subn(r"(kernel\.sysrq:) \d+", rf"\1 {turn}", path.read_text(encoding="utf-8"))
        assert number == 1
        path.write_text(text, encoding="utf-8")

    def change_some(self, names: Sequence[str], turn: int) -> None:
        """Change the same file on some laptops alone, in a layer of their own; all others have none."""
        folder = self.root / "profiles/devices"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for name in names:
            (folder / f"{name}.yml").write_text(f"base:\n  sysctl:\n    kernel.sysrq: {turn}\n", encoding="utf-8")

    def bundles(self) -> list[tuple[Device, Bundle]]:
        """Every laptop with what it should be."""
        fleet = Fleet(load_project(self.root), on=datetime.now().astimezone().date())
        return [(device, fleet.compile(device).bundle) for device in fleet.select(Selection())]

    def write_for_peers(self, room: Path) -> dict[str, Device]:
        """Write contents, known_hosts and key where the peers look for them; returns the laptops by name."""
        found = self.bundles()
        for device, bundle in found:
            for component in bundle.components:
                for each in component.resources:
                    _write(room / "files" / device.hostname, each)
        known = [f"{device.address} {device.host_key}\n" for device, _ in found]
        (room / "known_hosts").write_text("".join(known), encoding="ascii")
        shutil.copy(self.root / ".mvpc/ssh/id_ecdsa", room / "key")
        return {device.hostname: device for device, _ in found}

    def differences(self, room: Path) -> list[str]:
        """What mvpc would still change on the laptops after a peer has run: nothing, if they do the same work."""
        found = []
        for device, bundle in self.bundles():
            request = {
                "format": 1,
                "action": "check",
                "device": device.hostname,
                "generation": 1 << 31,
                "diff": False,
                "updates": False,
                "undo": "",
                "components": [component_to_dict(each) for each in bundle.components],
            }
            answer = parse_answer(_ask(device, room, program(request)))
            found += [f"{device.hostname}: {answer.error}"] if answer.error else []
            for part in answer.components:
                found += [f"{device.hostname}: {words}" for words in (*part.changes, part.error) if words]
        return found


def missing() -> str:
    """What the comparison needs and this machine lacks; empty when it can be made."""
    lacking = list(missing_requirements())
    lacking += [] if os.geteuid() == 0 else ["root"]
    lacking += [] if (SOURCE / ".mvpc/images/standard/image.json").exists() else ["the image (mvpc image build)"]
    return ", ".join(lacking)


@contextmanager
def laptops(number: int) -> Iterator[Laptops]:
    """A project for so many laptops; at the end, or after a crash at the next start, nothing of the lab is left."""
    images = SOURCE / ".mvpc/images"
    root = Path(HOME) / "project"
    _lab().down()
    shutil.rmtree(root, ignore_errors=True)
    for name in ("profiles", "inventory", "playbooks"):
        shutil.copytree(SOURCE / name, root / name)
    (root / "mvpc.toml").write_text(CONFIG, encoding="utf-8")
    (root / ".mvpc").mkdir(mode=0o700)
    (root / ".mvpc/images").symlink_to(images)
    names = tuple(f"lab-{each:02}" for each in range(1, number + 1))
    rows = [f"{each};{each};{each};mvpc;lab;Debian 13;Standard;fa-schwerin;schwerin;;übergeben" for each in names]
    (root / "fleet.csv").write_text("\n".join([HEADER, *rows, ""]), encoding="utf-8")
    made = Laptops(root=root, names=names)
    try:
        made.mvpc("device", "import", "fleet.csv", "--yes")
        yield made
    finally:
        _lab().down()
        shutil.rmtree(root, ignore_errors=True)


def _lab() -> Lab:
    return Lab(Path(HOME), BRIDGE, IPv4Network(ADDRESSES))


def _write(folder: Path, resource: object) -> None:
    match resource:
        case Connection(id=name, content=content):
            path = folder / f"etc/NetworkManager/system-connections/{name}.nmconnection"
        case File(path=place, content=content, target="", present=True):
            path = folder / place.lstrip("/")
        case _:
            return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")


def _ask(device: Device, room: Path, text: str) -> str:
    options = ["BatchMode=yes", "StrictHostKeyChecking=yes", f"UserKnownHostsFile={room / 'known_hosts'}"]
    flags = [part for option in options for part in ("-o", option)]
    login = [f"mvpc-admin@{device.address}", f"sudo -n {PYTHON}"]
    argv = ["ssh", "-F", "none", *flags, "-i", str(room / "key"), *login]
    return subprocess.run(argv, input=text, capture_output=True, text=True, check=True).stdout


def as_json(devices: dict[str, Device]) -> str:
    """Name -> address."""
    return json.dumps({name: device.address for name, device in devices.items()})
