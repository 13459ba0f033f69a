"""The desk for new laptops: what sshd starts when one logs in there, and who waits.

Loads SQLAlchemy, paramiko and cryptography.
"""

from __future__ import annotations

import signal
import sys

import typer

from mvpc.arrival import Desk, arrive
from mvpc.cli.authorities import register
from mvpc.cli.console import print_json, print_table
from mvpc.cli.context import current_project, now
from mvpc.cli.enrolling import applicant_of
from mvpc.cli.words import count, local
from mvpc.device.desk import answer, read_question
from mvpc.device.enrolment import MAX_ANSWER
from mvpc.editions import edition
from mvpc.errors import InputError, MvpcError, NotFoundError
from mvpc.model import Device
from mvpc.project import Project
from mvpc.ssh import make_key
from mvpc.store.read import Reader

PATIENCE_S = 30
"""How long the desk waits for what a laptop has to say: a script says it at once."""


def serve(*, proof: str, address: str) -> None:
    """Read what one new laptop brings, and answer in one line. A refusal is an answer as well."""
    project = current_project()
    try:
        device = _take_down(project, proof, address)
        key = make_key(project.ssh_key, comment=project.ssh_user)
        said = answer(device=device.hostname, account=project.ssh_user, key=key)
    except MvpcError as error:
        said = answer(error=error.problems[0].what)
    typer.echo(said)


def show_waiting(*, as_json: bool) -> None:
    """List the laptops whose keys nobody has compared yet."""
    project = current_project()
    with Reader(project.database) as reader:
        waiting = [each for each in reader.arrivals() if not each.too_old(now())]
    if as_json:
        data = [
            {
                "device": each.device,
                "address": each.address,
                "at": each.at.isoformat(),
                "in_tpm": not each.no_tpm,
            }
            for each in waiting
        ]
        print_json({"arrivals": data})
        return
    rows = [[each.device, each.address, local(each.at), f"mvpc device enroll {each.device}"] for each in waiting]
    print_table(f"{count(len(waiting), 'new laptop')} at the desk", ["laptop", "address", "since", "next"], rows)


def _take_down(project: Project, proof: str, address: str) -> Device:
    project.require_real()
    host_key = _proven_key(proof)
    try:
        token, asked = read_question(_question())
    except ValueError as error:
        raise InputError(str(error)) from error
    with Reader(project.database) as reader:
        devices = reader.devices()
    device = next((each for each in devices if each.serial.casefold() == asked.serial.casefold()), None)
    if device is None or not asked.serial:
        raise NotFoundError("no device with its serial number is in the inventory")
    rules = edition(project.crypto).certificates
    desk = Desk(recorder=register(project), rules=rules, tpm=project.tpm, others=devices, now=now)
    arrive(applicant_of(project, device, token), asked, host_key=host_key, address=address, desk=desk)
    return device


def _question() -> str:
    """The one line that a new laptop says. Whoever says nothing is not waited for: then the kernel ends us."""
    signal.alarm(PATIENCE_S)  # nobody else could: it is root's, and what called it is not
    line = sys.stdin.buffer.readline(MAX_ANSWER + 1)
    signal.alarm(0)
    return line.decode(errors="replace")


def _proven_key(proof: str) -> str:
    """The public key of the one line that sshd writes into $SSH_USER_AUTH, ExposeAuthInfo of sshd_config(5)."""
    fields = proof.split()
    if len(fields) != 3 or fields[0] != "publickey":
        hint = "The desk needs ExposeAuthInfo yes and AuthenticationMethods publickey in sshd_config"
        raise InputError("sshd has not said with which key it logged in", hint=hint)
    return " ".join(fields[1:])
