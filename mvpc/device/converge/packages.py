"""The phase of packages: one apt transaction, which takes along nothing that is wanted."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from mvpc.device.converge.machine import Machine, look, write_private
from mvpc.device.converge.packagelocks import lock_holder
from mvpc.device.converge.resources import Package
from mvpc.device.converge.walk import Walk
from mvpc.device.converge.words import Busy, Failure, NeedsRepair, Step, gist

APT = ("apt-get", "-q", "-y", "-o", "DPkg::Lock::Timeout=300", "-o", "Dpkg::Options::=--force-confold")
APT_SECONDS = 1800
UNFINISHED = frozenset("HUFWt")
"""Half-installed, unpacked, half-configured, triggers awaited, triggers pending."""
BAD_SIGNATURE = re.compile(
    r"^[EW]: (.*(?:not signed|no longer signed|[Ss]ignature verification|GPG error).*)$", re.MULTILINE
)
"""What apt says of a source that nobody has signed, or not with its key."""
LISTS_STAMP = "/var/lib/mvpc/apt-updated"
LISTS_SECONDS = 6 * 3600


def transact_together(walks: Sequence[Walk]) -> None:
    """Bring and remove the packages of several components in one transaction: each one costs seconds.

    When it fails, or when the components want opposite things, each one tries on its own, and tells what is wrong.
    """
    come = {each for walk in walks for each in missing_packages(walk)}
    go = {each for walk in walks for each in needless_packages(walk)}
    agreed = len({each.identity for each in come | go}) == len(come | go)
    if len(walks) < 2 or not agreed:
        return
    with suppress(Failure):
        transact(walks[0].machine, in_order(come), in_order(go), keep=walks[0].run.kept_packages)
        for walk in walks:
            walk.packages_done = True


def in_order(packages: Iterable[Package]) -> list[Package]:
    """The packages by name."""
    return sorted(packages, key=lambda each: each.name)


def package_steps(walk: Walk) -> Iterator[Step]:
    """One transaction for everything, taken with the first step: packages that come and packages that go."""
    come, go = missing_packages(walk), needless_packages(walk)
    act: Callable[[], object] = partial(transact_alone, walk, come, go)
    for each in come:
        version = f" {each.version}" if each.version else ""
        now = walk.seen.version(each.name)
        found = f"package {each.name} has version {now}" if now else f"package {each.name} is missing"
        yield Step(found, f"package {each.name}{version} installed", act, takes="" if now else each.identity)
        act = nothing
    for each in go:
        yield Step(f"package {each.name} is installed", f"package {each.name} removed", act)
        act = nothing


def transact_alone(walk: Walk, come: Sequence[Package], go: Sequence[Package]) -> None:
    """The transaction of one component, unless it was part of a larger one."""
    if not walk.packages_done:
        transact(walk.machine, come, go, keep=walk.run.kept_packages)


def missing_packages(walk: Walk) -> list[Package]:
    """Packages that must be installed, or exchanged for another version."""
    wanted = [each for each in walk.wanted(Package) if each.present]
    return [each for each in wanted if not satisfied(each, walk.seen.version(each.name))]


def needless_packages(walk: Walk) -> list[Package]:
    """Packages that must go: unwanted ones, and those that mvpc brought and nothing wants any more."""
    go = [each for each in walk.wanted(Package) if not each.present]
    go += [each for each in walk.gone(Package) if each.ours and each not in walk.spared]
    return [each for each in go if walk.seen.version(each.name)]


def satisfied(package: Package, version: str) -> bool:
    """Whether the installed version will do."""
    return version == package.version if package.version else bool(version)


def nothing() -> None:
    """The step was taken together with another one."""


def transact(machine: Machine, come: Sequence[Package], go: Sequence[Package], *, keep: frozenset[str]) -> None:
    """Install and remove in one go, with fresh lists, and only what was asked for."""
    mend(machine, come)
    old = bool(come) and lists_are_old(machine)
    refused = update_lists(machine) if old else ""
    names = [f"{each.name}={each.version}" if each.version else each.name for each in come]
    argv = [*APT, "--no-install-recommends", "--allow-downgrades", "install", *names, *(f"{each.name}-" for each in go)]
    refuse_side_effects(machine, argv, go, keep)
    ran = machine.run(argv, timeout=APT_SECONDS)
    if ran.code != 0 and (mend(machine, come) or (come and not old)):
        refused = refused if old or not come else update_lists(machine)
        ran = machine.run(argv, timeout=APT_SECONDS)
    if ran.code != 0:
        words = f"apt-get install: {gist(ran.err, ran.out)}"
        raise explained(machine, "; ".join(filter(None, (refused, words, offered(machine, come, words)))))


def offered(machine: Machine, come: Sequence[Package], words: str) -> str:
    """Which versions the sources have instead of one that they do not have."""
    for each in come:
        if each.version and f"'{each.version}' for '{each.name}' was not found" in words:
            found = dict.fromkeys(version for _, version in offers(machine, [each.name]))
            return f"there is {', '.join(found) or 'none at all'}"
    return ""


def offers(machine: Machine, names: Collection[str]) -> list[tuple[str, str]]:
    """Name and version of what package lists hold of these packages, in the order of apt (apt-cache(8), madison)."""
    if not names:
        return []
    ran = machine.run(["apt-cache", "madison", *sorted(names)])
    rows = [[word.strip() for word in line.split("|")] for line in ran.out.splitlines()]
    return [(row[0], row[1]) for row in rows if len(row) == 3 and not row[2].endswith(" Sources")]


def mend(machine: Machine, come: Sequence[Package]) -> bool:
    """Finish what dpkg was interrupted at, once; whether there was anything to finish.

    Raises:
        NeedsRepair: a package is still broken, and it is none that the transaction installs anew anyway.
    """
    if not machine.run(["dpkg", "--audit"]).out.strip():
        return False
    ran = machine.run(["dpkg", "--force-confold", "--configure", "-a"], timeout=APT_SECONDS)
    left = broken_packages(machine) - {each.name for each in come}
    if ran.code != 0 and left:
        raise NeedsRepair(f"dpkg --configure -a: {', '.join(sorted(left))} broken: {gist(ran.err, ran.out)}")
    return True


def broken_packages(machine: Machine) -> set[str]:
    """Packages that dpkg has begun and not finished (dpkg(1), PACKAGE STATES)."""
    ran = machine.run(["dpkg-query", "--show", "--showformat=${db:Status-Abbrev}|${Package}\n"])
    rows = [line.partition("|") for line in ran.out.splitlines()]
    return {name for state, _, name in rows if state[1:2] in UNFINISHED or state[2:3] == "R"}


def explained(machine: Machine, words: str) -> Failure:
    """What a failed transaction means: somebody was quicker, the laptop needs a person, or it simply failed."""
    if "Could not get lock" in words or lock_holder(machine):
        return Busy(words)
    if broken := broken_packages(machine):
        return NeedsRepair(f"{', '.join(sorted(broken))} broken: {words}")
    return Failure(words)


def refuse_side_effects(machine: Machine, argv: Sequence[str], go: Sequence[Package], keep: frozenset[str]) -> None:
    """Removing a package takes along all that need it; not so when one of them is wanted."""
    if not go:
        return
    plan = machine.run([*argv, "--simulate"], timeout=APT_SECONDS).out
    leaving = {words[1] for words in map(str.split, plan.splitlines()) if words[:1] == ["Remv"]}
    victims = sorted((leaving & keep) - {each.name for each in go})
    if victims:
        raise Failure(f"removing {', '.join(each.name for each in go)} would also remove {', '.join(victims)}")


def lists_are_old(machine: Machine, seconds: float = LISTS_SECONDS) -> bool:
    """Whether package lists are missing, older than so many seconds, or older than the sources they come from."""
    stamp = look(machine.path(LISTS_STAMP))
    if stamp is None or not any(machine.path("/var/lib/apt/lists").glob("*_*")):
        return True
    sources = look_at_all(machine.path("/etc/apt").glob("sources.list*"))
    sources += look_at_all(machine.path("/etc/apt/sources.list.d").glob("*"))
    newest = max((each.st_ctime for each in sources), default=0)
    return newest >= stamp.st_mtime or not 0 <= time.time() - stamp.st_mtime < seconds


def look_at_all(paths: Iterable[Path]) -> list[os.stat_result]:
    """What is at each path that is there."""
    return [found for found in map(look, paths) if found]


def update_lists(machine: Machine) -> str:
    """Fetch package lists; returns which source was refused. That is no reason to stop: the transaction will tell."""
    ran = machine.run([*APT, "update"], timeout=APT_SECONDS)
    if ran.code == 0:
        write_private(machine, machine.path(LISTS_STAMP), b"")
    return refused_source(ran.err)


def refused_source(said: str) -> str:
    """The first source whose signature apt did not accept, and the next step; empty when there is none.

    apt then goes on with older lists where it has some, and does not call that an error (apt-secure(8)).
    """
    found = BAD_SIGNATURE.search(said)
    if not found:
        return ""
    source = re.search(r"[a-z+]+:/[^\s']*", found[1])
    reason = found[1].rpartition("error message is: ")[2].rstrip(".")
    name = source[0] if source else "of packages"
    return f"source {name} is refused ({reason:.200}): give it the key that signs it, or take it away"
