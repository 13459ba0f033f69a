"""`mvpc lab up`, `list`, `off`, `on`, `down`: laptops of the lab, and their place in the inventory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Annotated

import typer

from mvpc.cli.console import print_json, print_table, say
from mvpc.cli.context import actor, current_project, now
from mvpc.cli.lab.opening import open_lab
from mvpc.cli.options import JsonOption
from mvpc.cli.words import count
from mvpc.errors import InputError
from mvpc.images import Image, find_image
from mvpc.inventory.difference import difference
from mvpc.lab import Laptop, LaptopKind, LaptopSpec
from mvpc.model import Device, LifeCycle
from mvpc.organisation import Authority, load_organisation
from mvpc.project import Project
from mvpc.ssh import make_key
from mvpc.store.read import Reader
from mvpc.store.write import Store

_PREFIX_AND_MODEL: dict[LaptopKind, tuple[str, str]] = {
    "container": ("LAB", "lab laptop"),
    "vm": ("LABVM", "lab virtual machine"),
}


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
        laptops = open_lab().up(found.path, named, admin_key=key, admin=project.ssh_user, on_step=say)
        _enter(project, laptops, found, owner)
        say(f"{count(len(laptops), 'laptop')} ready: mvpc rollout --device {laptops[0].hostname}")


def list_laptops(as_json: JsonOption = False) -> None:
    """List the laptops of the lab."""
    laptops = open_lab().list()
    if as_json:
        print_json({"laptops": [asdict(laptop) | {"running": laptop.running} for laptop in laptops]})
        return
    rows = [[each.hostname, each.kind, each.address, "on" if each.running else "off"] for each in laptops]
    print_table("", ["laptop", "kind", "address", "power"], rows)


def off(laptop: Annotated[str, typer.Argument(help="Hostname.")]) -> None:
    """Take the power away from a laptop; its disk stays."""
    open_lab().stop(laptop)
    say(f"{laptop} is off")


def on(laptop: Annotated[str, typer.Argument(help="Hostname.")]) -> None:
    """Switch a laptop on again, with the disk that it had."""
    open_lab().start(laptop)
    say(f"{laptop} is on")


def down(
    laptops: Annotated[list[str] | None, typer.Argument(help="Only these; default: the whole lab.")] = None,
) -> None:
    """Remove laptops with everything they left on this machine, also after a crash. The inventory keeps them."""
    open_lab().down(laptops or None)
    say("the lab is down" if not laptops else f"removed {', '.join(laptops)}")


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
