"""What this machine says about itself: its apt sources and architecture, and what it lacks for a build."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from mvpc.errors import LabError
from mvpc.images.archive import KEYRING

ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LC_ALL": "C.UTF-8",
    "DEBIAN_FRONTEND": "noninteractive",
}
PACKAGE_OF_TOOL = {"mmdebstrap": "mmdebstrap", "apt-get": "apt", "dpkg": "dpkg", "unshare": "util-linux"}
TRUST_OPTIONS = ("Acquire::Check-Valid-Until", "Acquire::Check-Date")
"""A controller behind a frozen mirror switches these off; then a build from that mirror needs the same."""


def missing_requirements() -> tuple[str, ...]:
    """What this machine lacks to build an image: `root`, or names of Debian packages."""
    missing = {package for tool, package in PACKAGE_OF_TOOL.items() if not shutil.which(tool, path=ENVIRONMENT["PATH"])}
    if not Path(KEYRING).is_file():
        missing.add("debian-archive-keyring")
    return (*(["root"] if os.geteuid() else []), *sorted(missing))


def check_requirements() -> None:
    """Raise LabError that names everything missing, with the command that brings it."""
    missing = missing_requirements()
    if not missing:
        return
    packages = " ".join(each for each in missing if each != "root")
    hint = f"apt-get install --no-install-recommends {packages}" if packages else "Run it with sudo"
    raise LabError(f"building an image needs {', '.join(missing)}", hint=hint)


def architecture() -> str:
    """The Debian name of this machine's architecture: `amd64`."""
    return _answer(["dpkg", "--print-architecture"]).strip()


def apt_targets() -> list[str]:
    """`URI SUITE COMPONENT` of each binary source that this machine's apt is configured with."""
    form = "$(REPO_URI) $(RELEASE) $(COMPONENT)"
    lines = _answer(["apt-get", "indextargets", "--format", form, "Created-By: Packages"]).splitlines()
    return list(dict.fromkeys(line for line in lines if len(line.split()) == 3))


def trust_options() -> list[str]:
    """Those of `TRUST_OPTIONS` that this machine's apt has switched off, as apt.conf(5) lines."""
    switched = [line for name in TRUST_OPTIONS for line in _answer(["apt-config", "dump", name]).splitlines()]
    return [line.rstrip(";") for line in switched if '"false"' in line]


def _answer(argv: Sequence[str]) -> str:
    try:
        done = subprocess.run(argv, env=ENVIRONMENT, capture_output=True, text=True, timeout=60, check=True)
    except subprocess.CalledProcessError as error:
        raise LabError(f"{argv[0]} failed: {error.stderr.strip()[:400]}") from error
    except subprocess.TimeoutExpired as error:
        raise LabError(f"{argv[0]} did not answer within 60 s") from error
    return done.stdout
