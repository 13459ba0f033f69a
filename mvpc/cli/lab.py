"""`mvpc lab`: disposable laptops on this machine, entered in the inventory like any others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from ipaddress import IPv4Network
from pathlib import Path
from typing import Annotated

import typer

from mvpc.chances import MARKER, Chances
from mvpc.cli.console import print_json, print_table, say
from mvpc.cli.context import actor, current_project, now, today
from mvpc.cli.files import replace_file
from mvpc.cli.options import JsonOption
from mvpc.cli.words import count
from mvpc.errors import InputError, LabError, NotFoundError
from mvpc.images import Image, find_image
from mvpc.inventory.difference import difference
from mvpc.lab import Lab, Laptop, LaptopKind, LaptopSpec
from mvpc.lab.desktop import PORT, SECONDS, Screen, desktop_program, parse_screen
from mvpc.lab.gateway import NAME, NAME_SERVER, WEB_NAME
from mvpc.model import Device, LifeCycle
from mvpc.organisation import Authority, load_organisation
from mvpc.project import Project
from mvpc.simulated import invent, make_folder
from mvpc.ssh import make_key
from mvpc.store.read import Reader
from mvpc.store.write import Store
from mvpc.tunnels import WIREGUARD

app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def lab() -> None:
    """Start and stop disposable laptops on this machine: real systemd, sshd, NetworkManager and apt."""


@app.command()
def up(
    number: Annotated[int, typer.Argument(min=0, max=200, help="How many laptops shall run: lab-01, lab-02, ...")] = 0,
    vm: Annotated[
        int,
        typer.Option(min=0, max=20, help="How many of another kind: virtual machines vm-01, vm-02, ... with Wi-Fi."),
    ] = 0,
    authority: Annotated[
        str, typer.Option(help="Authority of laptops that the inventory does not know yet: code or name.")
    ] = "zdmv",
    image: Annotated[str, typer.Option(help="Image to boot.")] = "standard",
    vm_image: Annotated[str, typer.Option(help="Image for virtual machines; it needs a kernel.")] = "vm",
) -> None:
    """Boot laptops and enter their addresses and host keys in the inventory. Needs root.

    Laptops that run are left alone, those that are off are switched on with the disk they had. A container is up in a
    second; a virtual machine takes half a minute, and has a kernel and two simulated Wi-Fi radios
    of its own.
    """
    wanted = ((image, _specs("lab", "container", number)), (vm_image, _specs("vm", "vm", vm)))
    if not number and not vm:
        raise InputError("no laptops to boot", hint="Say how many: mvpc lab up 3, mvpc lab up --vm 1, or both")
    project = current_project()
    project.require_real()
    built = [(find_image(project.images / name), specs) for name, specs in wanted if specs]
    owner = load_organisation(project.root).authority(authority)
    project.make_state()
    key = make_key(project.ssh_key, comment=project.ssh_user)
    serials = _serials(project)
    for found, specs in built:
        named = [replace(spec, serial=serials.get(spec.hostname) or _serial(spec)) for spec in specs]
        laptops = _lab().up(found.path, named, admin_key=key, admin=project.ssh_user, on_step=say)
        _enter(project, laptops, found, owner)
        say(f"{count(len(laptops), 'laptop')} ready: mvpc rollout --device {laptops[0].hostname}")


@app.command("list")
def list_laptops(as_json: JsonOption = False) -> None:
    """List the laptops of the lab."""
    laptops = _lab().list()
    if as_json:
        print_json({"laptops": [asdict(laptop) | {"running": laptop.running} for laptop in laptops]})
        return
    rows = [[each.hostname, each.kind, each.address, "on" if each.running else "off"] for each in laptops]
    print_table("", ["laptop", "kind", "address", "power"], rows)


@app.command()
def off(laptop: Annotated[str, typer.Argument(help="Hostname.")]) -> None:
    """Take the power away from a laptop; its disk stays."""
    _lab().stop(laptop)
    say(f"{laptop} is off")


@app.command()
def on(laptop: Annotated[str, typer.Argument(help="Hostname.")]) -> None:
    """Switch a laptop on again, with the disk that it had."""
    _lab().start(laptop)
    say(f"{laptop} is on")


@app.command()
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
    running = _lab().raise_gateway(peers, swanctl)
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


@app.command()
def air(as_json: JsonOption = False) -> None:
    """Let the access points of virtual machines send out the networks of their profiles. Needs root.

    They ask a RADIUS server that lets in whoever has a certificate of the device authority that is not revoked. Say it
    again whenever profiles or the list of revoked certificates change.
    """
    from mvpc.cli.air import fill_air  # noqa: PLC0415 - loads profiles

    project = current_project()
    heard, authority = fill_air(project, _lab())
    if as_json:
        print_json({"heard": heard, "authority": str(authority)})
        return
    for hostname, networks in heard.items():
        say(f"{hostname} hears {', '.join(networks)}")
    _say_trust("radius-ca.pem", authority)


@app.command()
def down(
    laptops: Annotated[list[str] | None, typer.Argument(help="Only these; default: the whole lab.")] = None,
) -> None:
    """Remove laptops with everything they left on this machine, also after a crash. The inventory keeps them."""
    _lab().down(laptops or None)
    say("the lab is down" if not laptops else f"removed {', '.join(laptops)}")


@app.command()
def desktop(
    laptop: Annotated[str, typer.Argument(help="Hostname.")],
    picture: Annotated[
        Path | None, typer.Option("--picture", metavar="FILE", help="Write a picture of the screen there, as PNG.")
    ] = None,
) -> None:
    """Log a person in on a screen of its own, and say how to look at it. For images with a desktop."""
    project = current_project()
    if laptop not in {each.hostname for each in _lab().list()}:
        raise NotFoundError(f"the lab has no laptop {laptop}", hint="See `mvpc lab list`")
    with Reader(project.database) as reader:
        device = reader.find(laptop)
    screen = _screen(project, device, picture=picture is not None)
    if picture:
        replace_file(picture, screen.picture)
        say(f"the screen of {laptop} is in {picture}")
    say(f"{screen.person} is logged in on {laptop} ({screen.session})")
    say(f"Look: a VNC viewer at {device.address}:{PORT}, password {screen.password}")


@app.command()
def simulate(
    number: Annotated[int, typer.Argument(min=1, max=100_000, help="How many laptops.")],
    folder: Annotated[Path | None, typer.Option(help="Where; default: .mvpc-simulated in the project folder.")] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same laptops.")] = 1,
    failing: Annotated[float, typer.Option(min=0, max=100, help="Percent on which something fails.")] = 0.5,
    away: Annotated[float, typer.Option(min=0, max=100, help="Percent that do not answer.")] = 20,
    hanging: Annotated[float, typer.Option(min=0, max=100, help="Percent that never come to an end.")] = 1,
    slow: Annotated[float, typer.Option(min=0, max=100, help="Percent that need ten times as long.")] = 5,
    replace: Annotated[bool, typer.Option("--replace", help="Remove a simulated fleet that lies there.")] = False,
) -> None:
    """Make a project folder whose laptops are all simulated, to rehearse rollouts. Boots nothing, calls nobody.

    Profiles, organisation and mvpc.toml are copied into it. Every command works there, and says that it is simulated.
    """
    project = current_project()
    project.require_real()
    chances = Chances(seed=seed, failing=failing, away=away, hanging=hanging, slow=slow)
    devices = invent(number, load_organisation(project.root), operator=project.operator, on=today(), seed=seed)

    def fill(simulated: Project) -> None:
        found = difference([], devices)
        Store(simulated.database).save(found, actor=actor(), at=now(), action="simulate")

    made = make_folder(project, folder or project.root / ".mvpc-simulated", chances, fill, replace=replace)
    say(f"{count(number, 'simulated laptop')} in {made.root}; how they behave: {made.root / MARKER}")
    say(f"Next: cd {made.root}, then mvpc plan, mvpc rollout --all, mvpc status ...")


def _lab() -> Lab:
    project = current_project()
    project.require_real()
    try:
        addresses = IPv4Network(project.lab_addresses)
    except ValueError as error:
        raise InputError(f"lab.addresses is no network ({error})", where="mvpc.toml") from error
    return Lab(project.lab_home, project.lab_bridge, addresses)


def _screen(project: Project, device: Device, *, picture: bool) -> Screen:
    from mvpc.cli.enrolling import visitor_of  # noqa: PLC0415 - loads the certificates

    said = visitor_of(project).say(device, desktop_program(picture=picture), seconds=SECONDS)
    try:
        return parse_screen(said)
    except LabError as error:
        raise LabError(error.problems[0].what, where=device.hostname, hint=error.problems[0].hint) from error


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


def _specs(prefix: str, kind: LaptopKind, number: int) -> list[LaptopSpec]:
    return [LaptopSpec(f"{prefix}-{each:02}", kind) for each in range(1, number + 1)]


def _enter(project: Project, laptops: Sequence[Laptop], image: Image, owner: Authority) -> None:
    """Bring the inventory to what the laptops are: known ones get address and host key, others are added."""
    store = Store(project.database)
    with Reader(project.database) as reader:
        known = {device.hostname: device for device in reader.devices()}
    incoming = [
        replace(
            known.get(laptop.hostname) or _new(laptop, image, owner.code, owner.sites[0]),
            address=laptop.address,
            host_key=laptop.host_key,
        )
        for laptop in laptops
    ]
    found = difference(known.values(), incoming)
    if found:
        store.save(found, actor=actor(), at=now(), action="lab")


def _serials(project: Project) -> dict[str, str]:
    """Hostname -> serial number of what the inventory knows."""
    if not project.database.is_file():
        return {}
    with Reader(project.database) as reader:
        return {device.hostname: device.serial for device in reader.devices()}


def _serial(laptop: Laptop | LaptopSpec) -> str:
    prefix, _ = _PREFIX_AND_MODEL[laptop.kind]
    return f"{prefix}{laptop.hostname.rpartition('-')[2]}"


def _new(laptop: Laptop, image: Image, authority: str, site: str) -> Device:
    digits = laptop.hostname.rpartition("-")[2]
    prefix, model = _PREFIX_AND_MODEL[laptop.kind]
    return Device(
        inventory_number=f"{prefix}-{digits}",
        hostname=laptop.hostname,
        serial=_serial(laptop),
        vendor="mvpc",
        model=model,
        os=image.os,
        authority=authority,
        site=site,
        state=LifeCycle.IMAGED,
    )


_PREFIX_AND_MODEL: dict[LaptopKind, tuple[str, str]] = {
    "container": ("LAB", "lab laptop"),
    "vm": ("LABVM", "lab virtual machine"),
}
