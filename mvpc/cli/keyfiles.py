"""Show NetworkManager every kind of keyfile that the profiles would make, before any laptop gets one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from mvpc.errors import InputError, Problem
from mvpc.fleet import Fleet
from mvpc.model import Connection, Device
from mvpc.nmcli import complaint, find_nmcli
from mvpc.profiles import Codes
from mvpc.render import Renderer
from mvpc.render.danger import DangerousError
from mvpc.render.wifi import resources
from mvpc.secret import Secret
from mvpc.settings import SecretRef, Wifi, WifiNetwork

ANY_LAPTOP = Device(number=1, hostname="nb-check", inventory_number="", serial="", authority="", site="")
"""Stands for any laptop, with the newest release: those with the same layers differ only in names and addresses."""


def keyfile_problems(fleet: Fleet, codes: Iterable[Codes]) -> tuple[Problem, ...]:
    """What our own lint and NetworkManager's parser say against the keyfiles of all distinct stacks of layers.

    Where this machine has no nmcli and no built image lends its own, only the lint speaks.
    """
    nmcli = find_nmcli(path / "rootfs" for path in sorted(fleet.project.images.glob("*")))
    keyfiles, problems = _keyfiles(fleet, codes)
    for content, (place, name) in keyfiles.items():
        if words := complaint(nmcli, content) if nmcli else "":
            problems.append(Problem(place, f"connection {name}: {words}"))
    return tuple(problems)


def usable_key(secrets: Callable[[str], Secret]) -> Callable[[str], object]:
    """Resolves the name of a Wi-Fi key as a laptop would need it: a key that no network takes is an InputError."""

    def resolve(reference: str) -> object:
        network = WifiNetwork(ssid="any", security="sae", psk=SecretRef(secret=reference))
        return resources(Wifi(networks={"any": network}), secrets)

    return resolve


def _keyfiles(fleet: Fleet, codes: Iterable[Codes]) -> tuple[dict[str, tuple[str, str]], list[Problem]]:
    """Content -> the most special layer that leads to it, and the connection's name; and what the lint refused."""
    renderer = Renderer(
        catalogue=fleet.profiles.catalogue, secrets=lambda _: Secret("stands for any good key"), digest_key=b"check"
    )
    stacks = dict.fromkeys(fleet.profiles.layers.stack(**each) for each in codes)
    found: dict[str, tuple[str, str]] = {}
    dangerous: dict[Problem, None] = {}
    for stack in stacks:
        try:
            for connection in _connections(renderer, fleet, stack):
                found.setdefault(connection.content, (stack[-1], connection.id))
        except DangerousError as error:
            dangerous |= dict.fromkeys(Problem(stack[-1], each.what, each.hint) for each in error.problems)
    return found, list(dangerous)


def _connections(renderer: Renderer, fleet: Fleet, stack: tuple[str, ...]) -> Iterator[Connection]:
    """All connections of a laptop with these layers; raises DangerousError."""
    try:
        bundle = renderer.render(ANY_LAPTOP, fleet.profiles.of_stack(stack).settings, {})
    except DangerousError:
        raise
    except InputError:
        return  # what does not fit this stand-in is said of the real laptops by the plan
    for component in bundle.components:
        yield from (part for part in component.resources if isinstance(part, Connection))
