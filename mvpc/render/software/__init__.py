"""Component software: the products that a profile chose from the catalogue, configured and not only installed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mvpc.catalogue import Product
from mvpc.errors import InputError
from mvpc.model import Device, File, Resource, Unit
from mvpc.releases import Release
from mvpc.render.software.chosen import Chosen, chosen_from
from mvpc.render.software.entries import menu_entries
from mvpc.render.software.flatpaks import flatpaks
from mvpc.render.software.packages import packages
from mvpc.render.software.policies import policies
from mvpc.settings import Settings
from mvpc.software import pins


def resources(
    device: Device, settings: Settings, catalogue: Mapping[str, Product], release: Release | None = None
) -> tuple[Resource, ...]:
    """Packages, policies, menu entries and units of all chosen products. The same for all laptops of one system.

    Args:
        device: the laptop.
        settings: the validated truth for it.
        catalogue: all products.
        release: the versions that its ring gets; none: those of its mirror.

    Raises:
        InputError: a template fails, or two products claim the same file.
    """
    chosen = chosen_from(settings, catalogue)
    try:
        files = _each_once([*policies(chosen), *menu_entries(chosen)])
        versions = {each.package: each.version for each in pins(device, settings, catalogue, release)}
        second = flatpaks(chosen, settings.base.flatpak.remotes)
        return (*packages(chosen, device.os, versions), *files, *_units(chosen), *second)
    except InputError as error:
        raise InputError(error.problems[0].what, where=device.hostname, hint=error.problems[0].hint) from error


def _units(chosen: Chosen) -> Iterator[Unit]:
    names = {unit for product, _ in chosen.programs.values() for unit in product.units}
    yield from (Unit(name=name) for name in sorted(names))


def _each_once(files: list[File]) -> list[File]:
    paths = [file.path for file in files]
    twice = sorted({path for path in paths if paths.count(path) > 1})
    if twice:
        raise InputError(f"two products claim {twice[0]}", hint="Let one of them conflict with the other")
    return files
