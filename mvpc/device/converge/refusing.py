"""What can be known to be wrong with the way in before anything is touched; the rest shows after the change."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from mvpc.device.converge.files import differences, filled, said_of
from mvpc.device.converge.machine import NOT_FOUND, Machine, look, read_text
from mvpc.device.converge.resources import Connection, File
from mvpc.device.converge.walk import Walk
from mvpc.device.converge.words import Failure

CERTIFICATE = "-----BEGIN CERTIFICATE-----"
ENDPOINT = re.compile(r"^endpoint=(.+):\d+$", re.MULTILINE)


def refuse_bad_way_in(walk: Walk) -> None:
    """Raise Failure with all that is wrong with files of the way in that would change."""
    coming = [file for file in walk.way_in[0].values() if file in walk.wanted_files() and file.present]
    changed = [file for file in coming if differences(walk.machine, file, look(walk.machine.path(file.path)))]
    problems = [problem for file in changed for problem in problems_of(walk, file)]
    if problems:
        raise Failure("; ".join(problems))


def problems_of(walk: Walk, file: File) -> Iterator[str]:
    """What the programs that will read a file say of it; those that are not installed yet are asked later."""
    content = filled(walk.machine, file).decode()
    if any(token in content for token in file.device_keys):
        return  # its key is not made yet
    if file.validate:
        yield from problems_of_copy(walk.machine, file, content)
    if CERTIFICATE in content:
        yield from problems_of_certificate(walk.machine, file.path, content)
    if any(each.identity == file.path for each in walk.wanted(Connection)):
        yield from problems_of_connection(walk.machine, file, content)


def problems_of_copy(machine: Machine, file: File, content: str) -> Iterator[str]:
    """What the program that will read the file says of a copy that only root can read."""
    from tempfile import TemporaryDirectory  # noqa: PLC0415 - rarely needed, and slow to import

    with TemporaryDirectory(prefix="mvpc-") as folder:
        copy = Path(folder) / Path(file.path).name
        copy.write_text(content, encoding="utf-8")
        ran = machine.run([word.replace("%s", str(copy)) for word in file.validate])
        if ran.code not in {0, NOT_FOUND}:
            yield said_of(file, ran, copy)


def problems_of_certificate(machine: Machine, path: str, content: str) -> Iterator[str]:
    """Whether openssl(1) can read it, and whether it is still valid by the laptop's clock."""
    ran = machine.run(["openssl", "x509", "-noout", "-enddate", "-checkend", "0"], stdin=content)
    end = re.search(r"^notAfter=(.*)$", ran.out, re.MULTILINE)
    if ran.code not in {0, NOT_FOUND}:
        yield f"file {path}: the certificate expired on {end[1]}" if end else f"file {path}: not a valid certificate"


def problems_of_connection(machine: Machine, file: File, content: str) -> Iterator[str]:
    """Whether NetworkManager can read the keyfile, and whether the gateway has an address. Nothing of it is quoted."""
    ran = machine.run(["nmcli", "--offline", "connection", "modify", "connection.id", "x"], stdin=content)
    if ran.code not in {0, NOT_FOUND} and "--offline" not in ran.err:  # nmcli older than 1.40 does not know it
        yield f"{file.label}: NetworkManager cannot read it (nmcli --offline, exit code {ran.code})"
    before, after = (ENDPOINT.search(text) for text in (read_text(machine.path(file.path)), content))
    # A network that knows the old gateway and not the new one is not merely offline.
    if before and after and machine.resolves(before[1]) and machine.resolves(after[1]) is False:
        yield f"{file.label}: the gateway {after[1]} has no address"
