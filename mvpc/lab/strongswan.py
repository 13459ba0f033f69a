"""The IKEv2 side of the lab's gateway: strongSwan, which carries ESP itself over a TUN device (kernel-libipsec).

It has the mounts of its own network namespace (ip-netns(8)), and in them the places that AppArmor allows it.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from mvpc.errors import InputError, LabError
from mvpc.lab.host import run
from mvpc.lab.services import Services, write

_CONFIG = """\
charon {
  load_modular = yes
  install_virtual_ip = no
  plugins {
    include strongswan.d/charon/*.conf
    kernel-libipsec {
      load = yes
    }
  }
  filelog {
    stdout {
      default = 1
      flush_line = yes
    }
  }
}
charon-systemd {
  journal {
    default = -1
  }
}
"""
_START = """
set -e
mount --bind "$1/strongswan.conf" /etc/strongswan.conf
mount --bind "$1/swanctl" /etc/swanctl
mount --bind "$1/run" /run
exec /usr/sbin/charon-systemd
"""
_WRITTEN = ("conf.d/mvpc.conf", "x509ca/mvpc-devices.pem", "x509crl/mvpc-devices.crl")
"""What `mvpc vpn gateway` writes below swanctl/."""


@dataclass(frozen=True, slots=True)
class StrongSwan:
    """strongSwan in a network namespace. Its folder also holds its certificate, swanctl/x509/gateway.pem, and key."""

    services: Services
    namespace: str

    @property
    def folder(self) -> Path:
        """Where its files lie."""
        return self.services.folder / "ikev2"

    def admit(self, written: Path) -> None:
        """Let exactly those laptops in that the files of `mvpc vpn gateway` name, and end what others have open.

        Raises:
            InputError: a file is missing.
            LabError: strongSwan does not start, or does not take them.
        """
        missing = [name for name in _WRITTEN if not (written / name).is_file()]
        if missing:
            hint = "Write them: mvpc vpn gateway -o FOLDER, where a profile has vpn.ikev2"
            raise InputError(f"the gateway's files lack {', '.join(missing)}", where=str(written), hint=hint)
        for name in _WRITTEN:
            (self.folder / "swanctl" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(written / name, self.folder / "swanctl" / name)
        if not self._socket.exists():
            self._start()
        self._load()

    def swanctl(self, *arguments: str) -> str:
        """What it answers to swanctl; raises LabError with its words."""
        pid = (self.folder / "pid").read_text(encoding="ascii").strip()
        ways = ("--target", pid, "--mount", "--net")
        return run(["nsenter", *ways, "--", "swanctl", *arguments])

    def _load(self) -> None:
        """Take over what lies in its folder, and end what nobody may have open any more."""
        self.swanctl("--load-all", "--noprompt")
        known = set(re.findall(r"^(\S+): IKEv2", self.swanctl("--list-conns"), re.MULTILINE))
        for name, number in re.findall(r"^(\S+): #(\d+),", self.swanctl("--list-sas"), re.MULTILINE):
            if name not in known:
                self.swanctl("--terminate", "--ike-id", number)

    def _start(self) -> None:
        write(self.folder / "strongswan.conf", _CONFIG)
        write(self.folder / "swanctl" / "swanctl.conf", "include conf.d/*.conf\n")
        (self.folder / "run").mkdir(exist_ok=True)
        pid = self.services.run(self.namespace, "sh", "-c", _START, "sh", str(self.folder))
        write(self.folder / "pid", f"{pid}\n")
        self.services.wait(self._answers)

    @property
    def _socket(self) -> Path:
        return self.folder / "run" / "charon.vici"

    def _answers(self) -> bool:
        try:
            return self._socket.exists() and bool(self.swanctl("--stats"))
        except LabError:
            return False
