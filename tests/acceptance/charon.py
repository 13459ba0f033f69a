"""strongSwan in containers of the lab, for tests, which reach into them without their network.

The controller's kernel need not know ESP: charon then carries it itself, over a TUN device (kernel-libipsec).
"""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from tests.acceptance.admin import Admin
from tests.acceptance.certificates import Certificate, issue

PACKAGES = "charon-systemd strongswan-swanctl libstrongswan-standard-plugins libstrongswan-extra-plugins"
PACKAGES += " libcharon-extra-plugins"
INSTALL = "apt-get update -qq && apt-get -o DPkg::Lock::Timeout=600 install -yqq"
"""The laptop's own apt may be at work, so it waits."""
_USERLAND = "/etc/strongswan.d/charon/kernel-libipsec.conf"


@dataclass
class Charon:
    """strongSwan in one running container."""

    root: Path
    """The container's file system, as the lab keeps it."""

    def start(self) -> None:
        """Start it anew with what lies in /etc/swanctl."""
        self.carry_esp()
        self.succeed("systemctl", "restart", "strongswan.service")

    def carry_esp(self) -> None:
        """Let it carry ESP itself from its next start on; it may be installed later."""
        self.put(_USERLAND, b"kernel-libipsec {\n  load = yes\n}\n")

    def run(self, *argv: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the container, whatever comes of it."""
        return subprocess.run(self._argv(*argv), capture_output=True, text=True, timeout=900, check=False)

    def succeed(self, *argv: str) -> str:
        """The output of a command that must succeed."""
        done = self.run(*argv)
        assert done.returncode == 0, f"{argv}: exit {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def wait_until(self, *argv: str, says: str = "") -> str:
        """Try a command, twice a second, until it succeeds and says this; its output."""
        deadline = time.monotonic() + 600
        while (done := self.run(*argv)).returncode or says not in done.stdout:
            assert time.monotonic() < deadline, f"{argv} never said {says!r}: {done.stdout}{done.stderr}"
            time.sleep(0.5)
        return done.stdout

    def put(self, path: str, content: bytes, *, mode: int = 0o644) -> None:
        """Write a file in the container."""
        place = self._inside / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        place.chmod(mode)

    @property
    def _inside(self) -> Path:
        return Path(f"/proc/{self._leader}/root")

    @property
    def _leader(self) -> int:
        """Process 1 of the container: the child of the systemd-nspawn that was told of its file system."""
        for folder in Path("/proc").iterdir():
            words = _words(folder)
            if words[:1] == ["systemd-nspawn"] and f"--directory={self.root}" in words:
                children = (folder / "task" / folder.name / "children").read_text().split()
                return int(next(each for each in children if Path(f"/proc/{each}/comm").read_text() == "systemd\n"))
        raise AssertionError(f"no container runs from {self.root}")

    def _argv(self, *argv: str) -> list[str]:
        ways = ["--mount", "--uts", "--ipc", "--net", "--pid"]
        path = "PATH=/usr/sbin:/usr/bin:/sbin:/bin"
        return ["nsenter", f"--target={self._leader}", *ways, "--", "env", "-i", path, *argv]


def a_gateway(admin: Admin, laptop: str, signed_by: Certificate, *, name: str, behind: str) -> Charon:
    """A laptop as a gateway: its own certificate, an address behind it, and nothing of mvpc yet."""
    own = issue(signed_by, signed_by.key.parent, "gateway", usage="serverAuth", subject=name)
    made = installed(admin, laptop)
    made.put("/etc/swanctl/x509/gateway.pem", own.certificate.read_bytes())
    made.put("/etc/swanctl/private/gateway.pem", own.key.read_bytes(), mode=0o600)
    made.succeed("ip", "address", "add", f"{behind}/32", "dev", "lo")
    made.start()
    return made


def installed(admin: Admin, laptop: str) -> Charon:
    """A laptop with everything of strongSwan that tests need."""
    admin.machine(laptop).succeed(f"{INSTALL} {PACKAGES}")
    return Charon(admin.machine(laptop).lab.home / f"laptops/{laptop}/root")


def hand_over(admin: Admin, gateway: Charon) -> str:
    """Let mvpc write the gateway's files and give them to the gateway; what mvpc said."""
    said = admin.mvpc("vpn", "gateway", "-o", "known-gateway")
    for file in (admin.root / "known-gateway/swanctl").rglob("*"):
        if file.is_file():
            gateway.put(f"/etc/swanctl/{file.relative_to(admin.root / 'known-gateway/swanctl')}", file.read_bytes())
    gateway.succeed("swanctl", "--load-all", "--noprompt")
    return said


def with_vpn(profiles: Path, text: str) -> None:
    """The sample profiles with another block vpn, which the authority of lab-01 splits already."""
    base = profiles / "base.yml"
    before, _, rest = base.read_text().partition("\nvpn:\n")
    base.write_text(f"{before}\n{text}\nwifi:\n" + rest.partition("\nwifi:\n")[2])


def _words(folder: Path) -> list[str]:
    try:
        return (folder / "cmdline").read_text().split("\0")
    except OSError:
        return []
