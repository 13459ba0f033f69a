#!/usr/bin/python3 -I
"""A program that lies on laptops: it brings the system's Flatpaks to the list of mvpc.

Applications that others installed stay, and so does what people have saved.

    flatpaks            add remotes, install what is missing, remove what mvpc once installed and nobody wants now
    flatpaks --update   the same, and then bring everything to the newest state
    flatpaks --none     as if the list were empty

Run as root by mvpc-flatpaks.service. Where nothing is missing, no network is needed. Needs Python >= 3.9 and flatpak.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

LIST = Path("/etc/mvpc/flatpaks.json")
OURS = Path("/var/lib/mvpc-flatpaks/ours.json")
"""What mvpc has brought: written before it is brought, so that nothing of it is ever taken for somebody else's."""
Named = dict[str, dict[str, str]]
Inventory = dict[str, Named]
"""Remotes with url and key, and applications with remote and branch, by name."""
NOTHING: Inventory = {"remotes": {}, "apps": {}}


def main(arguments: list[str]) -> int:
    """Exit code 1, with a line on standard error, when something could not be done; the rest is done all the same."""
    complaints: list[str] = []
    try:
        wanted = NOTHING if "--none" in arguments else load(LIST)
        ours, damage = remembered()
        complaints += damage
        complaints += bring(ours, wanted)
        if not complaints:
            save({**wanted, "apps": {app: wanted["apps"][app] for app in wanted["apps"].keys() & load(OURS)["apps"]}})
        if "--update" in arguments:
            complaints += flatpak("update")
    except (OSError, ValueError) as error:
        complaints.append(str(error))
    sys.stderr.writelines(f"{line}\n" for line in complaints)
    return 1 if complaints else 0


def remembered() -> tuple[Inventory, list[str]]:
    """What mvpc has brought, as far as it is known, and a complaint when the file cannot be read."""
    try:
        return load(OURS), []
    except FileNotFoundError:
        return NOTHING, []
    except ValueError as error:
        return NOTHING, [f"{error}; what was brought before stays on this laptop"]


def bring(ours: Inventory, wanted: Inventory) -> list[str]:
    """Add remotes, remove what nobody wants, install what is missing; what could not be done is returned."""
    there, known = installed(), remotes()
    save({**ours, "remotes": {**wanted["remotes"], **ours["remotes"]}})
    refused = add_remotes(ours["remotes"], wanted["remotes"], known)
    work = compared(ours["apps"], wanted["apps"], there, without=refused.keys())
    stuck = remove({app: origin for app, origin in work.gone.items() if origin in there.get(app, [])})
    left = {app: origin for app, origin in ours["apps"].items() if app not in work.gone or app in stuck}
    save(united({**ours, "apps": left}, {**wanted, "apps": work.missing}))
    broken = install({app: origin for app, origin in work.possible.items() if app not in stuck})
    used = wanted["remotes"].keys() | {origin["remote"] for origin in left.values()}
    rest = clean((ours["remotes"].keys() & known) - used, unused=bool(work.gone))
    return [*(line for lines in refused.values() for line in lines), *stuck.values(), *broken, *rest]


class Work(NamedTuple):
    """What there is to do with applications."""

    missing: Named
    """Wanted, and not there."""
    possible: Named
    """Those of them whose remote is there."""
    gone: Named
    """Brought by mvpc, and not wanted from there any more."""


def compared(
    ours: Named, wanted: Named, there: Mapping[str, list[dict[str, str]]], *, without: Collection[str]
) -> Work:
    """What differs; one that moves to a remote that could not be added stays where it is.

    Args:
        ours: applications that mvpc has brought.
        wanted: those of the profile.
        there: where each application on the laptop comes from.
        without: remotes that could not be added.
    """
    missing = {app: origin for app, origin in wanted.items() if origin not in there.get(app, [])}
    possible = {app: origin for app, origin in missing.items() if origin["remote"] not in without}
    waiting = missing.keys() - possible.keys()
    gone = {app: origin for app, origin in ours.items() if wanted.get(app) != origin and app not in waiting}
    return Work(missing, possible, gone)


def add_remotes(ours: Named, wanted: Named, known: Collection[str]) -> dict[str, list[str]]:
    """Add remotes that are missing or have changed. Those that could not be added are returned with what was said."""
    new = {name: remote for name, remote in wanted.items() if name not in known or ours.get(name) != remote}
    said = {name: add_remote(name, remote, replace=name in known) for name, remote in new.items()}
    return {name: lines for name, lines in said.items() if lines}


def install(apps: Named) -> list[str]:
    """Install applications, each from its remote."""
    said = [flatpak("install", origin["remote"], f"{app}//{origin['branch']}") for app, origin in apps.items()]
    return [line for lines in said for line in lines]


def remove(apps: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Remove applications before others take their place: flatpak holds a branch from one remote only.

    Returns:
        Applications that stay, with what flatpak said.
    """
    said = {app: flatpak("uninstall", f"{app}//{origin['branch']}") for app, origin in apps.items()}
    return {app: lines[0] for app, lines in said.items() if lines}


def clean(remotes: Iterable[str], *, unused: bool) -> list[str]:
    """Remove runtimes that nothing uses any more, and remotes."""
    complaints = flatpak("uninstall", "--unused") if unused else []
    for name in sorted(remotes):
        complaints += flatpak("remote-delete", "--force", name)
    return complaints


def add_remote(name: str, remote: dict[str, str], *, replace: bool) -> list[str]:
    """Add a remote, or put it in the place of one with another address or key."""
    text = f"[Flatpak Repo]\nTitle={name}\nUrl={remote['url']}\nGPGKey={remote['key']}\n"
    with tempfile.NamedTemporaryFile("w", suffix=".flatpakrepo") as file:
        file.write(text)
        file.flush()
        old = flatpak("remote-delete", "--force", name) if replace else []
        return old + flatpak("remote-add", "--from", name, file.name)


def remotes() -> set[str]:
    """Names of the remotes that the system has."""
    return set(ask("remotes", "--columns=name"))


def installed() -> dict[str, list[dict[str, str]]]:
    """Application -> remote and branch of each installation."""
    found: dict[str, list[dict[str, str]]] = {}
    for line in ask("list", "--app", "--columns=application,origin,branch"):
        app, remote, branch = line.split("\t")
        found.setdefault(app, []).append({"remote": remote, "branch": branch})
    return found


def ask(verb: str, *argv: str) -> list[str]:
    """Lines that flatpak prints; raises OSError when it fails, since nothing is known then."""
    ran = subprocess.run(["flatpak", verb, "--system", *argv], capture_output=True, text=True, check=False)
    if ran.returncode:
        raise OSError(complaint(ran, verb, *argv))
    return ran.stdout.splitlines()


def flatpak(verb: str, *argv: str) -> list[str]:
    """Do something, and return what went wrong: nothing, or one line."""
    quiet = [] if verb.startswith("remote-") else ["--noninteractive"]
    ran = subprocess.run(["flatpak", verb, "--system", *quiet, *argv], stderr=subprocess.PIPE, text=True, check=False)
    return [complaint(ran, verb, *argv)] if ran.returncode else []


def complaint(ran: subprocess.CompletedProcess[str], *words: str) -> str:
    """What flatpak said last, in one line."""
    last = (ran.stderr.strip().splitlines() or [f"exit code {ran.returncode}"])[-1]
    return f"flatpak {' '.join(words)}: {last}"


def united(one: Inventory, other: Inventory) -> Inventory:
    """Everything that either of them has; the first one is believed about what it knows."""
    return {key: {**other[key], **one[key]} for key in NOTHING}


def load(path: Path) -> Inventory:
    """A list as it was saved; raises ValueError when it is damaged."""
    try:
        inventory: Inventory = json.loads(path.read_text(encoding="utf-8"))
        return {key: {name: dict(each) for name, each in inventory[key].items()} for key in NOTHING}
    except (ValueError, TypeError, KeyError, AttributeError):
        raise ValueError(f"{path} is damaged") from None


def save(ours: Inventory) -> None:
    """Replace the list of what mvpc has brought in one step; it is whole after a power loss as well."""
    fresh = OURS.with_suffix(".new")
    with fresh.open("w", encoding="utf-8") as stream:
        json.dump(ours, stream)
        stream.flush()
        os.fsync(stream.fileno())
    fresh.replace(OURS)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
