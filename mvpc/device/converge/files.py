"""Phases of files and keyfiles: what differs, and how a file comes, changes and goes."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from mvpc.device.converge.machine import Machine, Ran, delete, look, replacing, write
from mvpc.device.converge.resources import Connection, File
from mvpc.device.converge.walk import Walk
from mvpc.device.converge.words import Failure, Step, gist

KEYS = "/etc/mvpc/keys"
OWN_KEYS = {"wireguard": f"{KEYS}/wireguard.key", "device": "/etc/mvpc/pki/device.key"}
"""Kind -> the private key that the laptop made itself; that of its certificate comes with its enrolment."""
MAX_DIFF = 20_000  # characters of one component


def blocking_steps(walk: Walk) -> Iterator[Step]:
    """What must go before something new can come: a file where a folder will be, a profile with the same UUID."""
    places = tuple(file.path for file in walk.wanted_files())
    uuids = {each.uuid for each in walk.wanted(Connection)}
    twins = [each.file() for each in walk.gone(Connection) if each.uuid in uuids]
    parents = [file for file in walk.gone(File) if any(place.startswith(file.path + "/") for place in places)]
    for file in (*parents, *twins):
        yield from leaving_steps(walk, file)


def apt_file_steps(walk: Walk) -> Iterator[Step]:
    """Apt's own files come before packages: they say where packages come from."""
    for file in walk.wanted_files():
        if file.path.startswith("/etc/apt/"):
            yield from file_steps(walk, file)


def all_file_steps(walk: Walk) -> Iterator[Step]:
    """Files and keyfiles."""
    for file in walk.wanted_files():
        yield from file_steps(walk, file)


def gone_file_steps(walk: Walk) -> Iterator[Step]:
    """Files and keyfiles that no component has any more."""
    for file in (*walk.gone(File), *(each.file() for each in walk.gone(Connection))):
        yield from leaving_steps(walk, file)


def leaving_steps(walk: Walk, file: File) -> Iterator[Step]:
    """What deletes a file that mvpc made; a folder that took its place is not mvpc's."""
    now = look(walk.machine.path(file.path))
    if file.present and now and not stat.S_ISDIR(now.st_mode):
        yield from file_steps(walk, file._replace(present=False))


def file_steps(walk: Walk, file: File) -> Iterator[Step]:
    """What makes the path hold this file, link, or nothing. A link in its place is replaced, never followed."""
    path, label = walk.machine.path(file.path), file.label
    now = look(path)
    if not file.present:
        if now is not None:
            yield Step(f"{label} exists", f"{label} deleted", partial(delete, path), file.notify, path=file.path)
        return
    odd = differences(walk.machine, file, now)
    if odd:
        missing = f"{label} is missing", f"{label} created"
        differs = f"{label} differs ({', '.join(odd)})", f"{label} updated ({', '.join(odd)})"
        found, done = missing if now is None else differs
        diff = unified_diff(walk.machine, file, now) if walk.with_diff else ""
        yield Step(found, done, partial(install, walk.machine, file), file.notify, diff=diff, path=file.path)


def differences(machine: Machine, file: File, now: os.stat_result | None) -> list[str]:
    """In which respects the path is not as it should be."""
    path = machine.path(file.path)
    if now is None:
        return ["missing"]
    if file.target:
        same = stat.S_ISLNK(now.st_mode) and os.fspath(path.readlink()) == file.target
        return [] if same else ["target"]
    if not stat.S_ISREG(now.st_mode):
        return ["kind of file"]
    try:
        owners: object = machine.owner_ids(file.owner, file.group)
    except KeyError:
        owners = "not there yet"
    odd = {
        "content": sha256(path) != fingerprint(machine, file),
        "mode": stat.S_IMODE(now.st_mode) != int(file.mode, 8),
        "owner": (now.st_uid, now.st_gid) != owners,
    }
    return [respect for respect, is_odd in odd.items() if is_odd]


def install(machine: Machine, file: File) -> None:
    """Put a file or link in its place in one step, after its validation."""
    path = machine.path(file.path)
    with replacing(path) as fresh:
        if file.target:
            fresh.symlink_to(file.target)
            return
        try:
            uid, gid = machine.owner_ids(file.owner, file.group)
        except KeyError as unknown:
            raise Failure(f"file {file.path}: owner: {unknown.args[0]}") from None
        own = partial(machine.chown, uid=uid, gid=gid)
        write(fresh, filled(machine, file), mode=int(file.mode, 8), own=own)
        validate(machine, file, fresh)


def validate(machine: Machine, file: File, fresh: Path) -> None:
    """Ask the program that will read the file. What it says of a secret file is not passed on."""
    if not file.validate:
        return
    ran = machine.run([word.replace("%s", str(fresh)) for word in file.validate])
    if ran.code != 0:
        raise Failure(said_of(file, ran, fresh))


def said_of(file: File, ran: Ran, copy: Path) -> str:
    """Why a program refuses a copy of the file, in words."""
    said = "its content is secret" if file.secret else gist(ran.err, ran.out).replace(str(copy), file.path)
    return f"file {file.path}: refused by {file.validate[0]} (exit code {ran.code}): {said}"


def filled(machine: Machine, file: File) -> bytes:
    """The content with the laptop's own keys in place of their tokens."""
    content = file.content
    for token, kind in file.device_keys.items():
        key = machine.path(OWN_KEYS[kind])
        if look(key):  # a check may come before it is made
            content = content.replace(token, key.read_text().strip())
    return content.encode()


def fingerprint(machine: Machine, file: File) -> str:
    """SHA-256 that the file should have; empty for what has no content."""
    if file.target or not file.present:
        return ""
    return file.sha256 or hashlib.sha256(filled(machine, file)).hexdigest()


def sha256(path: Path) -> str:
    """SHA-256 of a file of any size."""
    digest = hashlib.sha256()
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as stream:
        for block in iter(partial(stream.read, 1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def unified_diff(machine: Machine, file: File, now: os.stat_result | None) -> str:
    """What would change in a file that everybody may read, before and after; else nothing."""
    from difflib import unified_diff as lines_of  # noqa: PLC0415 - rarely needed, and slow to import

    if file.secret or file.target or (now and not (stat.S_ISREG(now.st_mode) and now.st_mode & stat.S_IROTH)):
        return ""
    before = machine.path(file.path).read_text(encoding="utf-8", errors="replace") if now else ""
    lines = lines_of(before.splitlines(), file.content.splitlines(), file.path, file.path, lineterm="")
    return "".join(f"{line}\n" for line in lines)[:MAX_DIFF]
