"""What software is on the laptop and whether it works; only a probe that asks for it is told."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from typing import Any

from mvpc.device.converge.machine import NOT_FOUND, TIMED_OUT, Machine, run_well
from mvpc.device.converge.request import Check, Inquiry
from mvpc.device.converge.words import MAX_WORDS, Failure, gist

CHECKS_SECONDS = 200.0
"""For all checks of a laptop together: less than the controller waits for its answer."""
HOME = "/run/mvpc-check"
APART = (
    *("systemd-run", "--quiet", "--pipe", "--wait", "--collect", "--service-type=exec"),
    *("--property=DynamicUser=yes", "--property=RuntimeDirectory=mvpc-check", f"--property=WorkingDirectory={HOME}"),
    *(f"--setenv=HOME={HOME}", "--setenv=LC_ALL=C.UTF-8"),
)
"""Runs a command as an account that exists only meanwhile, which can change nothing on the laptop, and ends it with all
that it has started (systemd.exec(5), DynamicUser=)."""

FLATPAK_COLUMNS = "application,version,active,arch,branch,origin,options"
"""What flatpak-list(1) calls name, version, commit, architecture, branch and remote; options say what is a runtime."""


def software(machine: Machine, inquiry: Inquiry) -> dict[str, Any]:
    """Installed packages as rows, and of each product what its checks complain of."""
    complaints: dict[str, str] = {}
    deadline = time.monotonic() + CHECKS_SECONDS
    for check in inquiry.checks:
        if not complaints.setdefault(check.product, ""):
            complaints[check.product] = complaint(machine, check, deadline - time.monotonic())[:MAX_WORDS]
    return {
        "packages": installed(machine, inquiry.packages),
        "flatpaks": installed_flatpaks(machine, inquiry),
        "checks": complaints,
    }


def installed(machine: Machine, names: Sequence[str]) -> list[list[str]]:
    """Packages that are completely installed: name, version, architecture and source package.

    Those with these names and all others that were built from the same sources; without names, everything.
    """
    layout = "${db:Status-Status} ${Package} ${Version} ${Architecture} ${source:Package}\n"
    out = run_well(machine, "dpkg-query", "--show", f"--showformat={layout}")
    rows = [line.split() for line in out.splitlines()]
    there = [row[1:] for row in rows if len(row) == 5 and row[0] == "installed"]
    sources = {row[3] for row in there if row[0] in names}
    return [row for row in there if not names or row[3] in sources]


def installed_flatpaks(machine: Machine, inquiry: Inquiry) -> list[list[str]]:
    """Flatpaks that are there for everybody, as far as they are asked about, as rows with `FLATPAK_COLUMNS`."""
    if not inquiry.flatpaks and inquiry.packages:
        return []
    ran = machine.run(["flatpak", "list", "--system", f"--columns={FLATPAK_COLUMNS}"])
    if ran.code == NOT_FOUND:
        return []
    if ran.code != 0:
        raise Failure(f"flatpak list: {gist(ran.err, ran.out)}")
    rows = [line.split("\t") for line in ran.out.splitlines()]
    return [row for row in rows if row[0] in inquiry.flatpaks or not inquiry.packages]


def complaint(machine: Machine, check: Check, left: float) -> str:
    """Why a check failed, in one line; empty when it did not. `left` seconds are there for it at most."""
    if left <= 0:
        return "not run: the checks before it took all the time there is"
    seconds = min(check.seconds, max(1, int(left)))
    begun = time.monotonic()
    ran = machine.run([*APART, f"--property=RuntimeMaxSec={seconds}", "--", *check.argv], timeout=seconds + 10)
    if ran.code == TIMED_OUT or (ran.code != check.exit and time.monotonic() - begun >= seconds):
        return f"{check.argv[0]} did not end within {seconds} s"
    if ran.code != check.exit:
        return f"exit code {ran.code}: {first_line(ran.err, ran.out)}"
    if check.output and not re.search(check.output, ran.out + ran.err, re.MULTILINE):
        return f"it did not print what it should: {first_line(ran.out, ran.err)}"
    return ""


def first_line(*texts: str) -> str:
    """The first line with a word in it; GLib begins what it says with stars on a line of their own."""
    lines = (line.strip() for text in texts for line in text.splitlines())
    return next((line for line in lines if any(map(str.isalnum, line))), "nothing was printed")
