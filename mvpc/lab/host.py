"""The tools of this machine that the lab works with."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from mvpc.errors import LabError

ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}
TIMEOUT_S = 30
PACKAGE_OF_TOOL = {
    "ip": "iproute2",
    "mount": "mount",
    "nginx": "nginx",
    "sysctl": "procps",
    "systemd-nspawn": "systemd-container",
}


def missing_requirements() -> tuple[str, ...]:
    """What this machine lacks for a lab: `Linux`, `root`, or names of Debian packages."""
    if not Path("/proc/self/ns/net").exists():
        return ("Linux",)
    packages = {
        package for tool, package in PACKAGE_OF_TOOL.items() if not shutil.which(tool, path=ENVIRONMENT["PATH"])
    }
    return (*(["root"] if os.geteuid() else []), *sorted(packages))


def check_requirements() -> None:
    """Raise LabError that names everything missing, with the command that brings it."""
    missing = missing_requirements()
    if not missing:
        return
    packages = " ".join(each for each in missing if each not in {"root", "Linux"})
    hint = f"apt-get install --no-install-recommends {packages}" if packages else "Run it with sudo, on Linux"
    raise LabError(f"the lab needs {', '.join(missing)}", hint=hint)


def runs_systemd() -> bool:
    """Whether systemd is this machine's init (sd_booted(3))."""
    return Path("/run/systemd/system").is_dir()


def run(argv: Sequence[str], *, stdin: str = "") -> str:
    """The standard output of a command that must succeed within 30 s; raises LabError with its words."""
    try:
        done = subprocess.run(
            argv, env=ENVIRONMENT, input=stdin, capture_output=True, text=True, timeout=TIMEOUT_S, check=True
        )
    except subprocess.CalledProcessError as error:
        raise LabError(f"{' '.join(argv[:4])} failed: {error.stderr.strip()[:400]}") from error
    except subprocess.TimeoutExpired as error:
        raise LabError(f"{' '.join(argv[:4])} did not end within {TIMEOUT_S} s") from error
    return done.stdout
