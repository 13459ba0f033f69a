"""What a profile chose, as the parts of this component look at it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mvpc.catalogue import Choice, FlatpakProduct, PackagedProduct, Product, Program, WebService
from mvpc.settings import Settings, present


@dataclass(frozen=True, kw_only=True, slots=True)
class Chosen:
    """Products of one profile, by kind, in the order of their names."""

    packaged: Mapping[str, tuple[PackagedProduct, Choice]]
    unwanted: tuple[PackagedProduct, ...]
    flatpaks: Mapping[str, tuple[FlatpakProduct, Choice]]
    services: Mapping[str, tuple[WebService, Choice]]
    languages: tuple[str, ...]

    @property
    def programs(self) -> dict[str, tuple[Program, Choice]]:
        """Everything that is installed, from wherever it comes, in the order of the names."""
        return dict(sorted({**self.packaged, **self.flatpaks}.items()))

    @property
    def smart_cards(self) -> bool:
        """Whether the laptop reads smart cards."""
        return any(product.function == "smart cards" for product, _ in self.programs.values())


def chosen_from(settings: Settings, catalogue: Mapping[str, Product]) -> Chosen:
    """Sort the choices of a profile by what they mean for a laptop."""
    wanted = [name for name, choice in sorted(settings.software.items()) if choice.state == "present"]
    gone = [catalogue[name] for name, choice in sorted(settings.software.items()) if choice.state == "absent"]
    packaged, flatpaks, services = {}, {}, {}
    for name in wanted:
        product, choice = catalogue[name], settings.software[name]
        if isinstance(product, PackagedProduct):
            packaged[name] = product, choice
        elif isinstance(product, FlatpakProduct):
            flatpaks[name] = product, choice
        elif isinstance(product, WebService):
            services[name] = product, choice
    return Chosen(
        packaged=packaged,
        unwanted=tuple(each for each in gone if isinstance(each, PackagedProduct)),
        flatpaks=flatpaks,
        services=services,
        languages=present(settings.base.languages),
    )
