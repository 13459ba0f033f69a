"""`mvpc lab gateway` and `air`: what stands around the laptops of the lab."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mvpc.cli.console import print_json, say
from mvpc.cli.context import current_project
from mvpc.cli.lab.opening import open_lab
from mvpc.cli.options import JsonOption
from mvpc.errors import InputError
from mvpc.lab.gateway import NAME, NAME_SERVER, WEB_NAME
from mvpc.tunnels import WIREGUARD


def gateway(
    laptops: Annotated[
        Path | None,
        typer.Argument(
            help="Whom to let in: the folder that mvpc vpn gateway wrote, or a file of [Peer] sections, wg(8)."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Start a VPN gateway beside the laptops, WireGuard and IKEv2, and let exactly these laptops in. Needs root.

    Behind it are a name server and a web server that it names. Say it again with others whenever they change.
    """
    peers, swanctl = _admitted(laptops)
    running = open_lab().raise_gateway(peers, swanctl)
    values = {
        "endpoint": running.endpoint,
        "public_key": running.public_key,
        "address": running.address,
        "identity": NAME,
        "authority": str(running.authority),
    }
    if as_json:
        print_json(values)
        return
    say("write into a profile, below vpn:")
    say(f'  gateway: {{endpoint: {running.endpoint}, public_key: "{running.public_key}"}}')
    say(f"  ikev2: {{address: {running.address}, identity: {NAME}}}")
    _say_trust("vpn-ca.pem", running.authority)
    say(f"behind it: name server {NAME_SERVER}, http://{WEB_NAME}")


def air(as_json: JsonOption = False) -> None:
    """Let the access points of virtual machines send out the networks of their profiles. Needs root.

    They ask a RADIUS server that lets in whoever has a certificate of the device authority that is not revoked. Say it
    again whenever profiles or the list of revoked certificates change.
    """
    from mvpc.cli.lab.air import fill_air  # noqa: PLC0415 - loads profiles

    project = current_project()
    heard, authority = fill_air(project, open_lab())
    if as_json:
        print_json({"heard": heard, "authority": str(authority)})
        return
    for hostname, networks in heard.items():
        say(f"{hostname} hears {', '.join(networks)}")
    _say_trust("radius-ca.pem", authority)


def _say_trust(name: str, authority: Path) -> None:
    """Say how laptops come to trust a server of the lab, unless they do."""
    trusted = current_project().trust / name
    if not trusted.is_file() or trusted.read_bytes() != authority.read_bytes():
        step = f"install -D -m 644 {authority} inventory/trust/{name}"
        say(f"let laptops trust it, before they are rolled out to: {step}")


def _admitted(path: Path | None) -> tuple[str, Path | None]:
    """Sections of WireGuard, and the folder for strongSwan, where there is one."""
    if path is None:
        return "", None
    folder = path / "swanctl"
    file = path / WIREGUARD if path.is_dir() else path
    try:
        text = "" if folder.is_dir() and not file.is_file() else file.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        hint = f"Write it: mvpc vpn gateway -o {path}"
        raise InputError("the file of the laptops to let in cannot be read", where=str(file), hint=hint) from error
    return text, folder if folder.is_dir() else None
