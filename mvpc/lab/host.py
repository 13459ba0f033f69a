"""The tools of this machine that the lab works with."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from mvpc.errors import LabError
from mvpc.lab.lock import locks_for_a_command

ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}
TIMEOUT_S = 180
"""On a busy machine: to unmount a laptop's disk writes out what all others have written, too."""
Part = Literal["lab", "vm", "gateway", "ikev2", "air"]

PACKAGE_OF_TOOL: Mapping[Part, Mapping[str, str]] = {
    "lab": {
        "ip": "iproute2",
        "mount": "mount",
        "nginx": "nginx",
        "sysctl": "procps",
        "systemd-nspawn": "systemd-container",
    },
    "vm": {"qemu-system-x86_64": "qemu-system-x86", "mkfs.ext4": "e2fsprogs", "swtpm": "swtpm"},
    "gateway": {
        "wireguard-go": "wireguard-go",
        "wg": "wireguard-tools",
        "dnsmasq": "dnsmasq-base",
        "openssl": "openssl",
    },
    "ikev2": {
        "charon-systemd": "charon-systemd",
        "swanctl": "strongswan-swanctl",
        "/usr/lib/ipsec/plugins/libstrongswan-openssl.so": "libstrongswan-standard-plugins",
        "/usr/lib/ipsec/plugins/libstrongswan-kernel-libipsec.so": "libcharon-extra-plugins",
    },
    "air": {"hostapd": "hostapd", "openssl": "openssl", "ssh": "openssh-client"},
}


def missing_requirements(*parts: Part) -> tuple[str, ...]:
    """What this machine lacks for a lab with these parts: `Linux`, `root`, or names of Debian packages."""
    if not Path("/proc/self/ns/net").exists():
        return ("Linux",)
    needed = {tool: package for part in ("lab", *parts) for tool, package in PACKAGE_OF_TOOL[part].items()}
    packages = {package for tool, package in needed.items() if not _is_there(tool)}
    return (*(["root"] if os.geteuid() else []), *sorted(packages))


def _is_there(tool: str) -> bool:
    """A program by its name, or a file by its path."""
    return Path(tool).exists() if tool.startswith("/") else bool(shutil.which(tool, path=ENVIRONMENT["PATH"]))


def check_requirements(*parts: Part) -> None:
    """Raise LabError that names everything missing, with the command that brings it."""
    missing = missing_requirements(*parts)
    if not missing:
        return
    packages = " ".join(each for each in missing if each not in {"root", "Linux"})
    hint = f"apt-get install --no-install-recommends {packages}" if packages else "Run it with sudo, on Linux"
    raise LabError(f"the lab needs {', '.join(missing)}", hint=hint)


def runs_systemd() -> bool:
    """Whether systemd is this machine's init (sd_booted(3))."""
    return Path("/run/systemd/system").is_dir()


def run(argv: Sequence[str], *, stdin: str = "", timeout_s: int = TIMEOUT_S) -> str:
    """The standard output of a command that must succeed within `timeout_s`; raises LabError with its words."""
    try:
        with locks_for_a_command() as locks:
            done = subprocess.run(
                argv,
                env=ENVIRONMENT,
                input=stdin,
                capture_output=True,
                text=True,
                timeout=timeout_s,
                check=True,
                pass_fds=locks,
            )
    except subprocess.CalledProcessError as error:
        raise LabError(f"{' '.join(argv[:4])} failed: {error.stderr.strip()[:400]}") from error
    except subprocess.TimeoutExpired as error:
        raise LabError(f"{' '.join(argv[:4])} did not end within {timeout_s} s") from error
    return done.stdout
