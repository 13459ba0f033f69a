"""Products that a profile chooses for laptops whose operating system does not have them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mvpc.catalogue import PackagedProduct, Product
from mvpc.errors import Problem
from mvpc.model import Device
from mvpc.settings import Profile


def missing_products(device: Device, profile: Profile, catalogue: Mapping[str, Product]) -> Iterator[Problem]:
    """What this laptop cannot have, at the line that chose it. The same for all with this profile and release."""
    for name, choice in profile.settings.software.items():
        product = catalogue[name]
        if choice.state != "present" or not isinstance(product, PackagedProduct) or product.packages_for(device.os):
            continue
        path = f"software.{choice.kit or name}.state"
        what = f"{name} has no packages for {device.os}, which {device.hostname} has"
        step = f"Write {name}: absent for such laptops, or add the packages to profiles/catalogue/{name}.yml"
        yield Problem(str(profile.merged.place(path.split("."))), f"{path}: {what}", step)
