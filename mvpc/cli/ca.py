"""`mvpc ca`: the certificate authorities of devices, SSH hosts and SSH users."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from mvpc.authorities import AUTHORITIES
from mvpc.cli.authorities import authorities, publish_revocations, register, renew
from mvpc.cli.console import print_json, print_table, say
from mvpc.cli.context import current_project, now
from mvpc.cli.options import JsonOption
from mvpc.cli.words import count, local
from mvpc.errors import InputError
from mvpc.identity import current
from mvpc.identity.keys import fingerprint
from mvpc.identity.words import words_of
from mvpc.model import Certificate, CertificateKind
from mvpc.ssh import certificate_path, make_key
from mvpc.store.read import Reader

app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def ca() -> None:
    """Keep the certificate authorities of laptops, their SSH servers, and those who log in."""


@app.command()
def init(
    name: Annotated[str, typer.Option(help="Whose authorities these are; stands in certificates.")] = "mvpc",
) -> None:
    """Make the three authorities. Their private keys are encrypted with a passphrase."""
    if not 0 < len(name) <= 40 or not name.isprintable():
        raise InputError("the name of the authorities must have 1 to 40 characters")
    project = current_project()
    project.make_state()
    made = authorities(project, new=True)
    made.make(name, now=now())
    say(f"made the authorities {', '.join(AUTHORITIES)} in {made.folder}")
    say("Keep a copy of that folder and, elsewhere, of the passphrase. Next: mvpc device token LAPTOP")


@app.command()
def show(as_json: JsonOption = False) -> None:
    """Show the authorities, and how many certificates of theirs hold, are due or revoked."""
    project = current_project()
    found = authorities(project)
    own = found.chain[0]
    issued = _issued(project.database)
    rows = [_summary(name, [each for each in issued if each.kind is kind]) for name, kind in AUTHORITIES.items()]
    data = {
        "name": own.subject.rfc4514_string(),
        "issuer": own.issuer.rfc4514_string(),
        "until": own.not_valid_after_utc.isoformat(),
        "fingerprint": fingerprint(own.public_key()),
        "authorities": rows,
    }
    if as_json:
        print_json(data)
        return
    say(f"{data['name']}, issued by {data['issuer']}, until {own.not_valid_after_utc:%Y-%m-%d}")
    say(f"device authority key: {words_of(fingerprint(own.public_key()))}")
    print_table(
        "", ["authority", "valid", "due for renewal", "expired", "revoked"], [list(row.values()) for row in rows]
    )


@app.command("list")
def list_certificates(
    device: Annotated[str, typer.Option("--device", "-d", help="Only of this laptop.")] = "",
    as_json: JsonOption = False,
) -> None:
    """List certificates that were issued, oldest first."""
    project = current_project()
    with Reader(project.database) as reader:
        found = reader.certificates([reader.find(device).hostname] if device else None)
    if as_json:
        print_json({"certificates": [_data(each) for each in found]})
        return
    rows = [
        [each.name, each.kind, each.serial[:16], local(each.not_after), _state(each), _place_of_key(each)]
        for each in found
    ]
    print_table(count(len(found), "certificate"), ["name", "kind", "serial", "until", "state", "key"], rows)


@app.command()
def export(
    authority: Annotated[str, typer.Argument(help=f"One of {', '.join(AUTHORITIES)}.")],
    request: Annotated[
        bool, typer.Option("--request", help="A request to a superior authority instead (devices).")
    ] = False,
    known_hosts: Annotated[
        bool, typer.Option("--known-hosts", help="A line for known_hosts instead (ssh-hosts).")
    ] = False,
) -> None:
    """Print what others need to trust an authority: its certificate or its public SSH key."""
    found = authorities(current_project())
    if authority not in AUTHORITIES:
        raise InputError(f"there is no authority {authority!r}", hint=f"Known: {', '.join(AUTHORITIES)}")
    if (request and authority != "devices") or (known_hosts and authority != "ssh-hosts"):
        raise InputError(f"{authority} has no such form", hint="--request is for devices, --known-hosts for ssh-hosts")
    if authority == "devices":
        typer.echo(found.request() if request else found.chain_pem, nl=False)
    else:
        typer.echo(f"{'@cert-authority * ' if known_hosts else ''}{found.public_key(authority)}")


@app.command("import")
def import_certificate(
    file: Annotated[Path, typer.Argument(help="The new certificate and all above it: PEM, DER or PKCS #7.")],
) -> None:
    """Take over the certificate that a superior authority made for the device authority.

    Certificates that were issued before stay valid: the key is the same. Laptops learn the new chain with the next
    rollout.
    """
    project = current_project()
    found = authorities(project)
    try:
        data = file.read_bytes()
    except OSError as error:
        raise InputError(f"the file cannot be read ({error.strerror})", where=str(file)) from error
    valid = [each for each in _issued(project.database) if each.kind is CertificateKind.DEVICE and each.holds(now())]
    found.accept(data, now=now(), renamed=not valid)
    say(f"the device authority is now certified by {authorities(project).chain[0].issuer.rfc4514_string()}")


@app.command("sign-user")
def sign_user(
    public_key: Annotated[
        Path | None, typer.Argument(help="File with a public SSH key; default: the key of this controller.")
    ] = None,
    account: Annotated[str, typer.Option(help="Account on the laptops; default: the one that mvpc uses.")] = "",
    hours: Annotated[int, typer.Option(min=1, max=24, help="How long it holds.")] = 8,
    source: Annotated[
        list[str] | None, typer.Option(help="Network that the login must come from, 10.1.0.0/16. May be repeated.")
    ] = None,
) -> None:
    """Let a person log in to all enrolled laptops for a working day, by a certificate beside the key."""
    project = current_project()
    if public_key is None:
        line = make_key(project.ssh_key, comment=project.ssh_user)
        target = certificate_path(project.ssh_key)
    else:
        line = _read_key(public_key)
        target = public_key.with_name(f"{public_key.name.removesuffix('.pub')}-cert.pub")
    signer = authorities(project).ssh_users
    try:
        made = signer.issue_user(
            account or project.ssh_user, line, now=now(), life=timedelta(hours=hours), sources=source or ()
        )
    except ValueError as error:
        hint = "Make one: ssh-keygen -t ecdsa -b 384"
        raise InputError(f"the key cannot be certified: {error}", where=str(public_key or ""), hint=hint) from error
    register(project).record([made], at=now(), action="certify")
    target.write_text(f"{made.text} {made.name}\n", encoding="ascii")
    say(f"{target}: {made.name} until {local(made.not_after)}; ssh -i uses it by itself")


@app.command("renew")
def renew_certificates() -> None:
    """Renew the certificates of all laptops that are due, at two thirds of their life. Rollouts bring them."""
    project = current_project()
    with Reader(project.database) as reader:
        devices = reader.devices()
    number = renew(project, devices)
    say(f"{count(number, 'certificate')} renewed" + (": mvpc rollout brings them to the laptops" if number else ""))


@app.command("publish")
def publish_lists() -> None:
    """Write the lists of revoked certificates anew, and hand them over. Run it daily: the CRL holds for a week."""
    project = current_project()
    for path in publish_revocations(project):
        say(f"wrote {path}")
    if project.publish_hook:
        say(f"handed over by {project.publish_hook}")


@app.command()
def revoke(
    serial: Annotated[str, typer.Argument(help="Serial number, or its beginning; see mvpc ca list.")],
    reason: Annotated[str, typer.Option(help="Why.")] = "no longer needed",
) -> None:
    """Revoke one certificate and publish the lists. For a lost laptop: mvpc device lost."""
    project = current_project()
    issued = _issued(project.database)
    found = [each for each in issued if each.serial.startswith(serial.lower())]
    if len(found) != 1 or not serial:
        what = f"{serial!r} fits {count(len(found), 'certificate')}"
        raise InputError(what, hint="See the serial numbers: mvpc ca list")
    register(project).revoke(found, reason, at=now())
    publish_revocations(project, of=found[0].device)
    say(f"{found[0].name}: {found[0].kind} certificate {found[0].serial[:16]} is revoked")


def _read_key(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("the public key cannot be read", where=str(path)) from error


def _issued(database: Path) -> Sequence[Certificate]:
    if not database.is_file():
        return ()
    with Reader(database) as reader:
        return reader.certificates()


def _summary(name: str, issued: Sequence[Certificate]) -> dict[str, Any]:
    due = set(current(issued).values())
    states = [_state(each) if each in due else _state(each).replace("due", "valid") for each in issued]
    counts = {state: states.count(state) for state in ("valid", "due", "expired", "revoked")}
    return {"authority": name, **counts}


def _state(found: Certificate) -> str:
    if found.revoked_at:
        return "revoked"
    if now() >= found.not_after:
        return "expired"
    return "due" if now() >= found.due and found.kind is not CertificateKind.SSH_USER else "valid"


def _place_of_key(found: Certificate) -> str:
    """Where a laptop keeps the key of its device certificate, as it says."""
    if found.kind is not CertificateKind.DEVICE:
        return ""
    return "TPM" if found.in_tpm else "file"


def _data(found: Certificate) -> dict[str, Any]:
    return {
        "kind": found.kind,
        "serial": found.serial,
        "device": found.device,
        "name": found.name,
        "not_before": found.not_before.isoformat(),
        "not_after": found.not_after.isoformat(),
        "fingerprint": found.fingerprint,
        "in_tpm": found.in_tpm,
        "state": _state(found),
        "revoked_at": found.revoked_at.isoformat() if found.revoked_at else None,
        "reason": found.reason,
    }
