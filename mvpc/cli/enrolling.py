"""What the commands about a laptop's identity do. They load SQLAlchemy, paramiko and cryptography."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from getpass import getpass

import typer

from mvpc.authorities import Authorities
from mvpc.cli.authorities import authorities, publish_revocations, register
from mvpc.cli.console import confirm, draw_code, print_json, say
from mvpc.cli.context import actor, current_project, now, today
from mvpc.cli.device.changing import change_state
from mvpc.cli.trust import host_authority
from mvpc.cli.words import count, local
from mvpc.device.enrolment import KeyRequest
from mvpc.enrolment import Applicant, EnrolmentError, Seams, check_service, enrol, enrol_arrived
from mvpc.errors import InputError
from mvpc.fleet import Fleet
from mvpc.identity.tokens import make_token
from mvpc.identity.words import code_modules, code_of, same_fingerprint, word_list, words_of
from mvpc.inventory.difference import difference
from mvpc.model import Arrival, Device, LifeCycle
from mvpc.project import Project
from mvpc.secret import Secret
from mvpc.ssh.enrolment import Visitor
from mvpc.store.read import Reader
from mvpc.store.write import Store
from mvpc.text import safe


def allow(laptop: str, *, minutes: int, as_json: bool) -> None:
    """Make a token, and show it once."""
    project = current_project()
    authorities(project).check()
    with Reader(project.database) as reader:
        device = reader.find(laptop)
    check_service(device)
    ressort = Fleet(project, on=today()).ressort_of(device)
    shown, kept = make_token(device, ressort, now=now(), life=timedelta(minutes=minutes))
    register(project).add_token(kept, at=now())
    if as_json:
        print_json({"device": device.hostname, "token": shown.reveal(), "expires": kept.expires.isoformat()})
        return
    say(
        f"{device.hostname} (serial {device.serial}, ressort {ressort}) may be enrolled once "
        f"until {local(kept.expires)}:"
    )
    say(shown.reveal())
    say(f"Next, with the laptop in sight: mvpc device enroll {device.hostname}")


def enroll(laptop: str, *, words: str, new_key: bool) -> None:
    """Enrol one laptop, install what it was given, and let it prove it."""
    project = current_project()
    project.require_real()
    authorities(project).check()
    with Reader(project.database) as reader:
        device = reader.find(laptop)
        came = next((each for each in reader.arrivals() if each.device == device.hostname), None)
    Fleet(project, on=today()).compile(device)  # what is wrong with its profile is said before a token is used up
    if came and not came.too_old(now()) and not new_key:
        device, generation, no_tpm = _enrol_arrived(project, device, came, words), came.generation, came.no_tpm
    else:
        asked = _enrol_visited(project, device, words, new_key=new_key)
        generation, no_tpm = asked.generation, asked.no_tpm
    say(f"its key is in a file: {safe(no_tpm)}" if no_tpm else "its key is in its TPM")
    say("certified; installing")
    component = Fleet(project, on=today()).compile(device).bundle.component("identity")
    visitor = visitor_of(project)
    visitor.install(device, component, generation=generation)
    if trusted := host_authority(project):
        visitor.prove(device, trusted)
    say(
        f"{device.hostname} is enrolled: it proved its host certificate, and 802.1X and VPN find its device certificate"
    )


def _enrol_visited(project: Project, device: Device, words: str, *, new_key: bool) -> KeyRequest:
    """Enrol a laptop that is asked over SSH; returns what it asked for."""
    applicant, signers, visitor = applicant_of(project, device, _ask_token()), authorities(project), visitor_of(project)
    ask = partial(visitor.ask, curve=signers.rules.device_curve, words=word_list(), tpm=project.tpm)
    fresh = new_key or applicant.needs_fresh_key
    return enrol(applicant, _seams(project, signers, words), partial(ask, fresh=fresh))


def _enrol_arrived(project: Project, device: Device, came: Arrival, words: str) -> Device:
    """Enrol a laptop that came to the desk; returns it with its address and host key in the inventory."""
    say(f"{device.hostname} came to the desk at {local(came.at)} from {came.address}")
    known = replace(device, address=came.address, host_key=came.host_key)
    applicant = applicant_of(project, known, Secret(""))
    try:
        enrol_arrived(applicant, came, _seams(project, authorities(project), words))
    except EnrolmentError:
        register(project).forget_arrival(device.hostname)
        raise
    Store(project.database).save(difference([device], [known]), actor=actor(), at=now(), action="enrol")
    register(project).forget_arrival(device.hostname)
    return known


def give_up(laptop: str, *, reason: str, yes: bool, as_json: bool) -> None:
    """Revoke everything that a laptop could prove itself with, and publish that."""
    project = current_project()
    with Reader(project.database) as reader:
        device = reader.find(laptop)
        valid = [each for each in reader.certificates([device.hostname]) if not each.revoked_at]
    if not yes and not confirm(_whether_lost(device, len(valid))):
        say("Nothing was changed.", err=True)
        raise typer.Exit(1)
    changed = change_state(project, device, LifeCycle.LOST, action="lost")
    register(project).revoke(valid, reason, at=now())
    if not as_json:
        say(f"{device.hostname}: {changed}; {count(len(valid), 'certificate')} revoked")
    published = authorities(project).exist
    if published:
        publish_revocations(project, of=device.hostname)
    if as_json:
        hook = bool(published and project.publish_hook)
        folder = str(project.publish) if published else None
        print_json({"device": device.hostname, "revoked": len(valid), "published": folder, "handed_over": hook})
    elif published:
        _say_what_is_left(project)


def _whether_lost(device: Device, certificates: int) -> str:
    about = ", ".join(each for each in (device.serial, device.authority, device.site, device.room) if each)
    what = (
        f"{count(certificates, 'certificate')} would be revoked for good" if certificates else "it has no certificate"
    )
    return f"Is {device.hostname} ({about}) lost? {what[0].upper()}{what[1:]}."


def _say_what_is_left(project: Project) -> None:
    say(f"lists of revoked certificates are in {project.publish}")
    if project.publish_hook:
        say(f"handed over by {project.publish_hook}")
        return
    say(
        "Next, so that the others refuse it: devices.crl to RADIUS servers and VPN gateways, ssh-hosts.krl to those "
        "who log in, and mvpc vpn gateway for the gateways. A publish_hook in mvpc.toml does that each time."
    )


def applicant_of(project: Project, device: Device, presented: Secret) -> Applicant:
    """Everything that is known of a laptop that wants to be enrolled."""
    with Reader(project.database) as reader:
        token, issued = reader.token(device.hostname), reader.certificates([device.hostname])
    ressort = Fleet(project, on=today()).ressort_of(device)
    return Applicant(device=device, ressort=ressort, presented=presented, token=token, issued=issued)


def _seams(project: Project, signers: Authorities, words: str) -> Seams:
    return Seams(
        same_key=_comparison(words),
        devices=signers.devices,
        ssh_hosts=signers.ssh_hosts,
        recorder=register(project),
        rules=signers.rules,
        tpm=project.tpm,
        now=now,
    )


def _comparison(words: str) -> Callable[[str], bool]:
    def compare(fingerprint: str) -> bool:
        if words:
            return same_fingerprint(words, fingerprint)
        draw_code(code_modules(fingerprint))
        say(f"The key that arrived: {words_of(fingerprint)}")
        say(f"Its QR code says:     {code_of(fingerprint)}")
        say("The laptop shows its own on its first screen and in /run/mvpc/enrolment.")
        return confirm("Are these the same six words?")

    return compare


def _ask_token() -> Secret:
    try:
        text = getpass("Token: ") if sys.stdin.isatty() else sys.stdin.readline()
    except EOFError:
        text = ""
    if not text.strip():
        raise InputError("no token was given", hint="Make one: mvpc device token LAPTOP")
    return Secret(text.strip())


def visitor_of(project: Project) -> Visitor:
    """Visits the laptops of a project, as it logs in on them."""
    return Visitor(
        user=project.ssh_user,
        port=project.ssh_port,
        key=project.ssh_key,
        now=now,
        authority=host_authority(project),
    )
