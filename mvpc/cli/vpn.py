"""`mvpc vpn`: the other side of the tunnels."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from mvpc.cli.console import BAD, OK, print_json, print_table, say
from mvpc.cli.context import current_project, today
from mvpc.cli.options import JsonOption
from mvpc.cli.planning import AuthorityOption, RessortOption
from mvpc.cli.words import count
from mvpc.errors import InputError, MvpcError
from mvpc.fleet import Fleet, Selection
from mvpc.store.read import Reader
from mvpc.tunnels import (
    IKEV2,
    NOBODY,
    WIREGUARD,
    Laptop,
    Peer,
    Waiting,
    common_ikev2,
    difference,
    faults,
    ikev2_file,
    peers_of,
    read_gateway,
    wireguard_file,
)

app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None)

ProviderOption = Annotated[str, typer.Option("--provider", help="Only this kind: ikev2 or wireguard.")]
_NAMED = 5
"""How many laptops a line names."""


@app.callback()
def vpn() -> None:
    """Write what VPN gateways must know of laptops, and check whether they do."""


@app.command()
def gateway(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the files.")] = Path("gateway"),
    provider: ProviderOption = "",
    ressort: RessortOption = "",
    authority: AuthorityOption = "",
    as_json: JsonOption = False,
) -> None:
    """Write the gateway's side of the tunnels of all laptops in service, and say what changed."""
    fleet = Fleet(current_project(), on=today())
    laptops = _laptops(fleet, Selection(ressort=ressort, authority=authority))
    peers, waiting = peers_of(laptops)
    files = _files(fleet, laptops, _of(peers, provider), provider)
    if IKEV2 not in files and provider != "wireguard" and (output / IKEV2).is_file():
        files[IKEV2] = NOBODY.encode()
    changes = {name: _write(output / name, content) for name, content in files.items()}
    if as_json:
        print_json({"files": changes, "waiting": [asdict(each) for each in waiting]})
        return
    for name, changed in changes.items():
        say(f"{output / name}: {_told(changed)}")
    if gone := changes.get(IKEV2, {}).get("removed"):
        say(f"On the gateway, after swanctl --load-all, end what they have open: swanctl --terminate --ike {gone[0]}")
    _show_waiting(waiting)


@app.command()
def check(
    file: Annotated[str, typer.Argument(help="What the gateway printed: a file, or - for standard input.")],
    ressort: RessortOption = "",
    authority: AuthorityOption = "",
    as_json: JsonOption = False,
) -> None:
    """Compare what a gateway says (wg show all dump, swanctl --list-conns, --list-sas) with the inventory.

    Exit code 3 when they do not agree.
    """
    answer = read_gateway(_text(file))
    fleet = Fleet(current_project(), on=today())
    peers, waiting = peers_of(_laptops(fleet, Selection(ressort=ressort, authority=authority)))
    found = faults(peers, answer)
    if as_json:
        print_json({"faults": [asdict(each) for each in found], "waiting": [asdict(each) for each in waiting]})
    elif found:
        title = f"{count(len(found), 'difference')} between gateway and inventory"
        print_table(title, ["what", "who", "detail"], [[each.kind, each.who, each.detail] for each in found])
    else:
        say(f"gateway and inventory agree on {count(len({each.name for each in answer.laptops}), 'laptop')}", style=OK)
    if found:
        raise typer.Exit(3)


def _laptops(fleet: Fleet, selection: Selection) -> list[Laptop]:
    devices = fleet.askable(fleet.select(selection))
    with Reader(fleet.project.database) as reader:
        seen = reader.device_states([device.hostname for device in devices])
    return [
        Laptop(
            device=device,
            vpn=fleet.profile_of(device).settings.vpn,
            identity=fleet.identities.get(device.hostname),
            told_key=seen[device.hostname].facts.get("wireguard_public_key") if device.hostname in seen else None,
        )
        for device in devices
    ]


def _of(peers: tuple[Peer, ...], provider: str) -> tuple[Peer, ...]:
    if provider not in {"", "ikev2", "wireguard"}:
        raise InputError(f"there is no provider {provider!r}", hint="Write ikev2 or wireguard")
    return tuple(peer for peer in peers if provider in {"", peer.provider})


def _files(fleet: Fleet, laptops: list[Laptop], peers: tuple[Peer, ...], provider: str) -> dict[str, bytes]:
    """Path below the folder -> content."""
    files: dict[str, bytes] = {}
    if provider in {"", "wireguard"}:
        files[WIREGUARD] = wireguard_file(peers).encode()
    settings = common_ikev2(laptops) if provider in {"", "ikev2"} else None
    if settings:
        published = fleet.project.publish
        files[IKEV2] = ikev2_file(peers, settings).encode()
        files["swanctl/x509ca/mvpc-devices.pem"] = _published(published / "devices.pem")
        files["swanctl/x509crl/mvpc-devices.crl"] = _published(published / "devices.crl")
    elif provider == "ikev2":
        raise InputError("no profile of these laptops has vpn.ikev2", hint="Write it as docs/how-to/vpn.md shows")
    return files


def _published(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        hint = "Publish it: mvpc ca publish"
        raise MvpcError("the gateway needs the list of revoked certificates", where=str(path), hint=hint) from error


def _write(path: Path, content: bytes) -> dict[str, Any]:
    """Replace the file as a whole if it differs; returns what changed."""
    try:
        before = path.read_bytes() if path.is_file() else None
        if before != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            _replace(path, content)
    except OSError as error:
        raise MvpcError(f"the file cannot be written ({error.strerror})", where=str(path)) from error
    old = (before or b"").decode("utf-8", "replace")
    return {"written": before != content, **asdict(difference(old, content.decode("utf-8", "replace")))}


def _replace(path: Path, content: bytes) -> None:
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    fresh = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        fresh.chmod(0o640)
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def _told(changed: Mapping[str, Any]) -> str:
    words = [
        f"{len(names)} {kind} ({', '.join(names[:_NAMED])}{', ...' if len(names) > _NAMED else ''})"
        for kind in ("added", "removed", "changed")
        if (names := changed[kind])
    ]
    return ", ".join(words) or ("written" if changed["written"] else "unchanged")


def _show_waiting(waiting: tuple[Waiting, ...]) -> None:
    if waiting:
        say(f"{count(len(waiting), 'laptop')} cannot be let in yet:", style=BAD)
        for each in waiting[:20]:
            say(f"  {each.device}: {each.why}")
        if len(waiting) > 20:
            say(f"  and {len(waiting) - 20} more: --json lists all")


def _text(file: str) -> str:
    try:
        raw = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise InputError(f"the file cannot be read ({error.strerror})", where=file) from error
    return raw.decode("utf-8", "replace")
