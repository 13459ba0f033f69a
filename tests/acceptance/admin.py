"""A person at the controller, for the acceptance tests: a project folder of their own, a lab of their own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from ipaddress import IPv4Network
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from mvpc import images
from mvpc.lab import Lab, missing_requirements
from mvpc.model import RolloutRow, RolloutState
from mvpc.store.read import Reader
from tests.acceptance.driver import Machine

SOURCE = Path(__file__).parents[2]
HEADER = "Inventarnummer;Rechnername;Seriennummer;Betriebssystem;Arbeitsplatzprofil;Behörde;Standort;Status;Modell\n"
PSK = "correct horse battery staple"
CONFIG = """
[organisation]
operator = "zdmv"
[lab]
home = "/var/lib/mvpc-lab-{name}"
bridge = "mvpc{name}"
addresses = "{addresses}"
"""

AT_NO_TIME = """sudo sh -ec '
for name in apt-daily apt-daily-upgrade; do
  folder=/etc/systemd/system/$name.service.d
  mkdir -p $folder
  printf "[Unit]\\nConditionPathExists=/never\\n" >$folder/50-at-no-time.conf
done
systemctl daemon-reload'"""
"""Debian's own updates come at a time of day that no test chooses, and hold apt's locks then. Their timers stay."""

_MISSING = sorted({*missing_requirements(), *images.missing_requirements()})
NEEDS_LAB = [
    pytest.mark.lab,
    pytest.mark.skipif(bool(_MISSING), reason=f"the lab needs {', '.join(_MISSING)} on Debian"),
]

_MISSING_FOR_GATEWAYS = sorted({*_MISSING, *missing_requirements("gateway", "ikev2")})
NEEDS_GATEWAY = [
    pytest.mark.lab,
    pytest.mark.skipif(
        bool(_MISSING_FOR_GATEWAYS), reason=f"gateways need {', '.join(_MISSING_FOR_GATEWAYS)} on Debian"
    ),
]

_MISSING_FOR_VMS = sorted({*_MISSING, *missing_requirements("vm", "gateway", "ikev2", "air")})
NEEDS_VM = [
    pytest.mark.lab,
    pytest.mark.vm,
    pytest.mark.skipif(bool(_MISSING_FOR_VMS), reason=f"virtual machines need {', '.join(_MISSING_FOR_VMS)} on Debian"),
]


@dataclass
class Admin:
    """A person at the controller, with a project folder of their own."""

    root: Path
    lab: Lab
    """For what an admin cannot do but fate can: take cables and power away."""
    addresses: dict[str, str] = field(default_factory=dict)
    host_keys: dict[str, str] = field(default_factory=dict)

    def mvpc(self, *arguments: str, expect: int = 0, answer: str = "") -> str:
        """Run mvpc in the project folder and return what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "mvpc", *arguments],
            cwd=self.root,
            input=answer,
            capture_output=True,
            text=True,
            timeout=1800,
            check=False,
        )
        assert done.returncode == expect, f"{arguments}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stdout + done.stderr
        return done.stdout + done.stderr

    def json(self, *arguments: str, expect: int = 0) -> Any:
        """Run mvpc with --json and return the data; of JSON Lines, that of the last one."""
        printed = self.mvpc(*arguments, "--json", expect=expect)
        return json.loads(printed.splitlines()[-1] if printed.startswith('{"event"') else printed)

    @contextmanager
    def begin(self, *arguments: str, log: Path | None = None) -> Iterator[subprocess.Popen[bytes]]:
        """Let mvpc work beside the test, in a session of its own, so that killing it kills nothing else.

        It writes into `log`. When the block is left it has ended, whatever became of the test: one that still went on
        would keep its laptops from the next test.
        """
        # A shell that started these tests in the background lets them ignore SIGINT, and so all that they start.
        argv = ["env", "--default-signal=INT,HUP,TERM", sys.executable, "-m", "mvpc", *arguments]
        with (
            (log or self.log).open("wb") as said,
            subprocess.Popen(argv, cwd=self.root, stdout=said, stderr=said, start_new_session=True) as running,
        ):
            try:
                yield running
            finally:
                if running.poll() is None:
                    os.killpg(running.pid, signal.SIGKILL)

    @property
    def log(self) -> Path:
        """Where what was begun writes to, if the test names no other place."""
        return self.root / "known-log"

    def newest_number(self) -> int:
        """The number of the newest rollout; 0 before the first one."""
        row = self.newest_rollout()
        return row.id if row else 0

    def newest_rollout(self) -> RolloutRow | None:
        """The newest rollout, as mvpc's own records have it."""
        with Reader(self.root / ".mvpc" / "mvpc.db") as reader:
            return next(iter(reader.rollouts(limit=1)), None)

    def wait_for_a_rollout(self, *, after: int) -> int:
        """Wait until a newer one is at work; returns its number."""
        deadline = time.monotonic() + 300
        while not (row := self.newest_rollout()) or row.id == after or row.state is not RolloutState.RUNNING:
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.05)
        return row.id

    @contextmanager
    def stopped(self, process: subprocess.Popen[bytes], *, after: int) -> Iterator[int]:
        """Stop mvpc while a rollout newer than `after` waits for Ansible, at most for 5 minutes; yields its number.

        It holds its laptops then, and writes nothing: stopped in the middle of that, it would keep others from it.
        """
        number, deadline = self.wait_for_a_rollout(after=after), time.monotonic() + 300
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")  # proc_pid_task_children(5)
        while not children.read_text():
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGSTOP)
        try:
            yield number
        finally:
            os.killpg(process.pid, signal.SIGCONT)

    def waiting(self) -> set[str]:
        """The laptops that something waits for, as mvpc's own records have it."""
        with Reader(self.root / ".mvpc" / "mvpc.db") as reader:
            return set(reader.waiting())

    def next_step(self, before: int) -> list[str]:
        """What a person would type to bring everything to its end; empty when nothing newer than `before` is left."""
        row = self.newest_rollout()
        if row is None or row.id == before:
            return ["rollout", "--all", "--yes"]
        if row.state is RolloutState.DONE:
            return ["rollout", "watch", "--once"] if self.waiting() else []
        assert row.state is RolloutState.INTERRUPTED, row
        return ["rollout", "resume", str(row.id)]

    def furnish(self, laptops: Sequence[str], *, models: Mapping[str, str] | None = None) -> None:
        """Import laptops of one authority, boot them, and bring them to their profiles."""
        rows = [
            f"LAB-{name[-2:]};{name};LAB{name[-2:]};Debian 13;Standard;zdmv;schwerin;übergeben;"
            f"{(models or {}).get(name, 'lab laptop')}\n"
            for name in laptops
        ]
        (self.root / "devices.csv").write_text(HEADER + "".join(rows))
        self.mvpc("image", "build")
        self.mvpc("device", "import", "devices.csv", "--yes")
        self.boot(len(laptops))
        self.mvpc("secret", "set", "wifi/guest-psk", answer=f"{PSK}\n")
        self.mvpc("rollout", "--all", "--yes")

    def boot(self, laptops: int) -> None:
        """Boot laptops and learn where to find them."""
        self.mvpc("lab", "up", str(laptops))
        for device in self.json("device", "list")["devices"]:
            if device["address"]:
                self.addresses[device["hostname"]] = device["address"]
                self.host_keys[device["hostname"]] = device["host_key"]
        self.on_all(AT_NO_TIME)

    def open_authorities(self) -> None:
        """Keep the passphrase of certificate authorities in a file, since nobody is there to type it."""
        (self.root / "passphrase").touch(mode=0o600)
        (self.root / "passphrase").write_text("correct horse battery staple\n")
        with (self.root / "mvpc.toml").open("a") as config:
            config.write('[identity]\npassphrase_file = "passphrase"\n')

    def token(self, laptop: str) -> str:
        """A new enrolment token for a laptop."""
        return str(self.json("device", "token", laptop)["token"])

    def enrol(self, laptop: str, *, on: Callable[[str], str] | None = None) -> None:
        """Enrol a laptop; `on` runs a command there. The first attempt lets it make its key and show its words."""
        for words in ("zoo zoo zoo zoo zoo zoo", ""):
            shown = words or (on or partial(self.on, laptop))("head -n 1 /run/mvpc/enrolment").strip()
            answer = f"{self.token(laptop)}\n"
            self.mvpc("device", "enroll", laptop, "--words", shown, answer=answer, expect=1 if words else 0)

    def on_all(self, command: str, *, check: bool = True) -> dict[str, str]:
        """Run a command on all laptops at once."""
        with ThreadPoolExecutor(len(self.addresses)) as pool:
            return dict(
                zip(
                    self.addresses,
                    pool.map(lambda name: self.on(name, command, check=check), self.addresses),
                    strict=True,
                )
            )

    def on(self, laptop: str, command: str, *, check: bool = True, timeout_s: float = 900) -> str:
        """Run a command on a laptop with the system's own ssh, believing only the host key of the inventory."""
        known = self.root / f"known-{laptop}"
        known.write_text(f"{self.addresses[laptop]} {self.host_keys[laptop]}\n")
        options = ["BatchMode=yes", "StrictHostKeyChecking=yes", f"UserKnownHostsFile={known}", "ConnectTimeout=20"]
        flags = [part for option in options for part in ("-o", option)]
        key = self.root / ".mvpc/ssh/id_ecdsa"
        done = subprocess.run(
            ["ssh", "-F", "none", *flags, "-i", str(key), f"mvpc-admin@{self.addresses[laptop]}", command],
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        assert done.returncode == 0 or not check, f"{laptop}: {command}: {done.stderr}"
        return done.stdout

    def packages(self) -> dict[str, dict[str, str]]:
        """Laptop -> installed package -> version, as the laptop's own dpkg says."""
        said = self.on_all("dpkg-query -Wf '${db:Status-Status} ${Package} ${Version}\\n'")
        rows = {laptop: [line.split() for line in text.splitlines()] for laptop, text in said.items()}
        return {laptop: {row[1]: row[2] for row in each if row[0] == "installed"} for laptop, each in rows.items()}

    def outsider(self, laptop: str, *options: str, key: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Log in as somebody who has only mvpc's key, or another, and believes only the authority of host certificates.

        It asks for the hostname. `options` are those of ssh_config(5).
        """
        known = self.root / "known-authority"
        known.write_text(self.mvpc("ca", "export", "ssh-hosts", "--known-hosts"))
        [address] = [each["address"] for each in self.json("device", "list")["devices"] if each["hostname"] == laptop]
        fixed = ["BatchMode=yes", "StrictHostKeyChecking=yes", f"UserKnownHostsFile={known}"]
        fixed += ["GlobalKnownHostsFile=none", f"HostKeyAlias={laptop}", "IdentitiesOnly=yes", "ConnectTimeout=20"]
        flags = [part for option in (*fixed, *options) for part in ("-o", option)]
        login = ["-i", str(key or self.root / ".mvpc/ssh/id_ecdsa"), f"mvpc-admin@{address}", "hostname"]
        argv = ["ssh", "-F", "none", *flags, *login]
        return subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)

    def machine(self, laptop: str) -> Machine:
        """A laptop of this person's lab, in the hands of a test."""
        return Machine(self.lab, laptop, self.root / ".mvpc/ssh/id_ecdsa")

    def recover(self, mend: str) -> None:
        """Bring all laptops to rest, and to their profiles, whatever hangs, waits or is blocked there.

        `mend` is a command for each of them.
        """
        for laptop in self.addresses:
            self.lab.stop(laptop)
            self.lab.start(laptop)
        self.on_all(mend)
        for row in self.json("rollout", "list")["rollouts"]:
            if row["state"] == RolloutState.SCHEDULED:
                self.mvpc("rollout", "cancel", str(row["id"]))
        self.mvpc("rollout", "--all", "--yes", "--window", "always")

    def commit(self, message: str) -> None:
        """Keep the project folder in git, as profile maintainers do."""
        for arguments in (
            ["add", "-A"],
            ["-c", "user.name=t", "-c", "user.email=t@mv.example", "commit", "-qm", message],
        ):
            subprocess.run(["git", *arguments], cwd=self.root, check=True, capture_output=True)


@contextmanager
def an_admin(root: Path, *, name: str, addresses: str) -> Iterator[Admin]:
    """A person with a copy of the project and a lab that is down before and after."""
    for part in ("profiles", "inventory", "images", "playbooks"):
        shutil.copytree(SOURCE / part, root / part)
    shutil.copy(SOURCE / "ansible.cfg", root)
    (root / "mvpc.toml").write_text(CONFIG.format(name=name, addresses=addresses))
    (root / ".gitignore").write_text("/.mvpc/\nknown-*\n")
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    (root / ".mvpc").mkdir(mode=0o700)
    (SOURCE / ".mvpc" / "images").mkdir(mode=0o700, parents=True, exist_ok=True)
    (root / ".mvpc" / "images").symlink_to(SOURCE / ".mvpc" / "images")  # built once for all tests
    person = Admin(root, Lab(Path(f"/var/lib/mvpc-lab-{name}"), f"mvpc{name}", IPv4Network(addresses)))
    person.mvpc("lab", "down")
    try:
        yield person
    finally:
        person.mvpc("lab", "down")


STATED = ("mvpc.toml", "profiles", "playbooks")
"""What a person writes in the project folder."""


@contextmanager
def standing_alone(admin: Admin, request: pytest.FixtureRequest, *, mend: str = "true") -> Iterator[None]:
    """Let a test leave no configuration to the next one, and nothing at all when it fails.

    Then the project and its laptops become what they were before; `mend` is a command for each laptop that helps.
    """
    failed = request.session.testsfailed
    with TemporaryDirectory() as folder:
        before = Path(folder)
        replace(STATED, admin.root, before)
        yield
        replace(STATED[:1], before, admin.root)
        if request.session.testsfailed > failed:
            replace(STATED, before, admin.root)
            admin.recover(mend)


def replace(names: Sequence[str], source: Path, target: Path) -> None:
    """Let files and folders of one folder take the place of those of another."""
    for name in names:
        if (source / name).is_file():
            shutil.copy(source / name, target)
        else:
            shutil.rmtree(target / name, ignore_errors=True)
            shutil.copytree(source / name, target / name)
