"""mvpc and its peers, each as the command that a person would type."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tests.bench.peers.laptops import SOURCE, Laptops, as_json
from tests.bench.peers.measure import Meter, Took

HERE = Path(__file__).parent
PYINFRA = SOURCE / ".mvpc/bench/pyinfra"
"""A virtual environment of its own, since pyinfra needs another paramiko than mvpc; kept for the next time."""


class Tool(Protocol):
    """One way to bring all laptops to what they should be."""

    @property
    def name(self) -> str:
        """As in the table."""
        ...

    def prepare(self) -> None:
        """Learn what laptops there are and what they should be now. Not measured."""
        ...

    def run(self, names: Sequence[str], *, away: int = 0) -> Took:
        """Bring these laptops there; so many of them are switched off."""
        ...

    def was_idle(self) -> bool:
        """Whether the last run changed nothing."""
        ...


@dataclass(frozen=True, slots=True)
class Mvpc:
    """`mvpc rollout --all --yes`."""

    laptops: Laptops
    meter: Meter
    name: str = "mvpc"

    def prepare(self) -> None:
        """The inventory knows everything."""

    def run(self, names: Sequence[str], *, away: int = 0) -> Took:
        """Roll out."""
        everyone = tuple(names) == self.laptops.names
        chosen = ["--all"] if everyone else [part for name in names for part in ("--device", name)]
        return self.meter.run([sys.executable, "-m", "mvpc", "rollout", *chosen, "--yes"], environment={})

    def was_idle(self) -> bool:
        """Whether it said so."""
        return "Nothing to do" in self.meter.text()


@dataclass(frozen=True, slots=True)
class Ansible:
    """ansible-playbook of the same virtual environment as mvpc, tuned; see with_ansible/."""

    laptops: Laptops
    meter: Meter
    room: Path
    forks: int
    name: str = "ansible"

    def prepare(self) -> None:
        """Write inventory and contents beside the playbook."""
        devices = self.laptops.write_for_peers(self.room)
        options = "-o IdentitiesOnly=yes -o UserKnownHostsFile=" + str(self.room / "known_hosts")
        common = {
            "ansible_user": "mvpc-admin",
            "ansible_ssh_private_key_file": str(self.room / "key"),
            "ansible_ssh_common_args": options,
        }
        hosts = {name: {"ansible_host": device.address} for name, device in devices.items()}
        text = json.dumps({"all": {"hosts": hosts, "vars": common}})
        (self.room / "inventory.json").write_text(text, encoding="utf-8")
        for name in ("site.yml", "ansible.cfg"):
            (self.room / name).write_text((HERE / "with_ansible" / name).read_text(encoding="utf-8"), encoding="utf-8")

    def run(self, names: Sequence[str], *, away: int = 0) -> Took:
        """Play all of it; where only the wait for those who are away counts, its first task alone."""
        first_only = away or len(names) < len(self.laptops.names)
        return self._play(names, *(["--tags=first"] if first_only else []), unreachable=away > 0)

    def run_chosen(self, names: Sequence[str]) -> Took:
        """Play only the task that has changed, which somebody must know and choose by hand."""
        return self._play(names, "--tags=changed")

    def _play(self, names: Sequence[str], *arguments: str, unreachable: bool = False) -> Took:
        program = str(Path(sys.executable).with_name("ansible-playbook"))
        chosen = ["-i", "inventory.json", f"--limit={','.join(names)}", f"--forks={self.forks}", *arguments]
        environment = {"ANSIBLE_CONFIG": str(self.room / "ansible.cfg")}
        # Ansible ends with 4 when a laptop is unreachable.
        expect = (4,) if unreachable else (0,)
        return self.meter.run([program, *chosen, "site.yml"], environment=environment, expect=expect, cwd=self.room)

    def was_idle(self) -> bool:
        """Whether no laptop reports a change."""
        return set(re.findall(r"changed=(\d+)", self.meter.text())) == {"0"}


@dataclass(frozen=True, slots=True)
class Pyinfra:
    """pyinfra in a virtual environment of its own; see with_pyinfra/."""

    laptops: Laptops
    meter: Meter
    room: Path
    forks: int
    name: str = "pyinfra"

    def prepare(self) -> None:
        """Install it where it is not yet, and write what the deploy needs."""
        self.laptops.write_for_peers(self.room)
        if not (PYINFRA / "bin/pyinfra").exists():
            venv.create(PYINFRA, with_pip=True)
            install: list[str | Path] = [
                PYINFRA / "bin/pip",
                "install",
                "--quiet",
                "-r",
                HERE / "with_pyinfra/requirements.txt",
            ]
            subprocess.run(install, check=True)

    def run(self, names: Sequence[str], *, away: int = 0) -> Took:
        """Deploy. It ends with 1 when a laptop is unreachable."""
        devices = {device.hostname: device for device, _ in self.laptops.bundles()}
        environment = {
            "PEER_ROOM": str(self.room),
            "PEER_LAPTOPS": as_json({name: devices[name] for name in names}),
        }
        return self.meter.run(
            [PYINFRA / "bin/pyinfra", "-y", "--sudo", f"--parallel={self.forks}", "inventory.py", "deploy.py"],
            environment=environment,
            expect=(1,) if away else (0,),
            cwd=HERE / "with_pyinfra",
        )

    def was_idle(self) -> bool:
        """Whether no operation changed anything."""
        [total] = re.findall(r"Grand total +(.+)", self.meter.text())
        _, changed, *_ = total.split()
        return bool(changed == "-")


def versions() -> str:
    """What is compared with what."""
    programs = Path(sys.executable).with_name("ansible-playbook"), PYINFRA / "bin/pyinfra"
    told = [_first_line([str(each), "--version"]) for each in programs if each.exists()]
    return "; ".join([*told, f"Python {sys.version.split()[0]}", f"{os.cpu_count()} cores"])


def _first_line(argv: Sequence[str]) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip().partition("\n")[0]
