"""From what layers say to what a laptop gets: kits, replacements, conflicts, and the defaults of every product."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from mvpc.catalogue.kinds import Presence
from mvpc.catalogue.products import Kit, PackagedProduct, Product, Program, WebService
from mvpc.errors import InputError, Problem
from mvpc.model import Source
from mvpc.profiles import Merged, in_order, suggestion
from mvpc.strict import Finding, StrictModel, problems_of

_SECTION = "software"
_COMMON = ("state", "version", "preferred", "autostart")


class Choice(StrictModel):
    """What holds for one product: what layers say, and what follows from it."""

    state: Presence | None = None
    """Whether laptops have it; nothing where layers only give it settings, in case somebody chooses it."""
    kit: str | None = None
    """The kit that brought it, where no layer names it."""
    replaced_by: str | None = None
    """The product that took its place."""
    version: Mapping[str, str | None] = {}
    """Exact version for each release that has one."""
    preferred: bool | None = None
    """Whether it opens its files before all others."""
    autostart: bool | None = None
    """Whether it starts when somebody logs in."""
    settings: Mapping[str, Any] = {}
    """Its own settings; all of them, with their defaults, where it is present."""

    @property
    def cause(self) -> str | None:
        """The other product that decided the state."""
        return self.replaced_by or self.kit

    @property
    def flat(self) -> dict[str, Any]:
        """As a profile would write it, without what is not set."""
        common = {name: getattr(self, name) for name in type(self).model_fields if name != "settings"}
        return {**{name: value for name, value in common.items() if value not in (None, {})}, **self.settings}


def choose(merged: Merged, catalogue: Mapping[str, Product]) -> dict[str, Choice]:
    """What the layers of a device choose, by product.

    Raises:
        InputError: unknown products, wrong settings, conflicts, or a missing requirement; with every problem.
    """
    written = merged.values.get(_SECTION)
    if not isinstance(written, Mapping):
        return {}  # that this must be a map is said by the schema
    choosing = _Choosing(merged, catalogue)
    for name, values in written.items():
        choosing.read(name, values)
    if not choosing.problems:
        choosing.settle()
    if choosing.problems:
        raise InputError.of(in_order(choosing.problems))
    return dict(sorted(choosing.choices.items()))


@dataclass(slots=True)
class _Choosing:
    merged: Merged
    catalogue: Mapping[str, Product]
    choices: dict[str, Choice] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def read(self, name: str, values: Any) -> None:
        """Check what layers say about one product."""
        product = self.catalogue.get(name)
        if product is None:
            step = suggestion(name, self.catalogue) or f"Add profiles/catalogue/{name}.yml, or remove it here"
            self._add((name,), Finding((), "not in the catalogue", step))
            return
        try:
            model = product.choice_model.model_validate(values)
        except ValidationError as error:
            problems = problems_of(error, model=product.choice_model, place=self._place_below(name))
            self.problems += [Problem(each.where, f"{_SECTION}.{name}.{each.what}", each.hint) for each in problems]
            return
        self.choices[name] = _choice(model, full=False)

    def settle(self) -> None:
        """What follows from the choices: kits bring products, products replace others, and defaults fill the rest."""
        for name in self._present(kits=True):
            self._unpack(name)
        for name in self._present():
            for other in self.catalogue[name].replaces:
                self._replace(name, other)
        for name in self._present():
            self.problems += [*self._clashes(name), *self._pins_in_vain(name)]
            self._fill(name)
        self.problems += self._rivals()

    def _unpack(self, kit: str) -> None:
        found = self.catalogue[kit]
        for name in found.products if isinstance(found, Kit) else ():
            before = self.choices.get(name, Choice())
            if before.state is None:
                self.choices[name] = before.model_copy(update={"state": "present", "kit": kit})

    def _replace(self, name: str, other: str) -> None:
        """A product that is named beats one that a kit brings, then the nearer layer wins; equals are an error."""
        before = self.choices.get(other, Choice(state="absent"))
        if before.state == "present" and self._rank(other) >= self._rank(name):
            there = self._place(self._decider(name))
            what = f"{name}, chosen by {there}, takes its place"
            self._add((self._decider(other), "state"), Finding((), what, f"Write {name}: absent beside it"))
        elif before.state == "present":
            self.choices[other] = before.model_copy(update={"state": "absent", "replaced_by": name, "kit": None})
        elif other not in self.choices:
            self.choices[other] = Choice(state="absent", replaced_by=name)

    def _clashes(self, name: str) -> Iterator[Problem]:
        product, path = self.catalogue[name], (self._decider(name), "state")
        for other in product.conflicts:
            if self._is_present(other):
                there = self._place(self._decider(other))
                yield self._problem(path, f"{name} conflicts with {other}, chosen by {there}", "Switch one of them off")
        for other in product.requires:
            if not self._is_present(other):
                yield self._problem(path, f"{name} needs {other}", f"Write {other}: present, or {name}: absent")
        if isinstance(product, WebService) and product.smart_card and not self._reads_cards():
            step = "Choose one: mvpc catalogue list --function 'smart cards'"
            yield self._problem(path, f"{name} needs a product for smart cards", step)

    def _pins_in_vain(self, name: str) -> Iterator[Problem]:
        """Versions for releases on which the product does not exist."""
        product = self.catalogue[name]
        for release, version in self.choices[name].version.items():
            if version and isinstance(product, PackagedProduct) and not product.packages_for(release):
                what = f"{name} has no packages for {release}"
                yield self._problem((name, "version", release), what, "Remove the version")

    def _rivals(self) -> Iterator[Problem]:
        """Products that shall both open the same type of file before all others."""
        first: dict[str, str] = {}
        for name in self._present():
            product = self.catalogue[name]
            if not isinstance(product, Program) or not self.choices[name].preferred:
                continue
            for rival in dict.fromkeys(first[kind] for kind in product.opens if kind in first):
                shared = next(kind for kind in product.opens if first.get(kind) == rival)
                what = f"{rival}, preferred by {self._place_below(rival)(('preferred',))}, opens {shared} as well"
                yield self._problem((name, "preferred"), what, "Write preferred: false for one of them")
            first |= dict.fromkeys(product.opens, name)

    def _reads_cards(self) -> bool:
        return any(getattr(self.catalogue[name], "function", "") == "smart cards" for name in self._present())

    def _fill(self, name: str) -> None:
        """A product that is present has a value for every setting."""
        before = self.choices[name]
        given = {key: getattr(before, key) for key in _COMMON if key in self.catalogue[name].fields}
        full = _choice(self.catalogue[name].choice_model(**given, **before.settings), full=True)
        self.choices[name] = full.model_copy(update={"kit": before.kit})

    def _present(self, *, kits: bool = False) -> list[str]:
        return [
            name
            for name in sorted(self.choices)
            if self._is_present(name) and isinstance(self.catalogue[name], Kit) == kits
        ]

    def _is_present(self, name: str) -> bool:
        return name in self.choices and self.choices[name].state == "present"

    def _decider(self, name: str) -> str:
        """What a layer named: the product, or the kit that brought it."""
        return self.choices[name].kit or name

    def _rank(self, name: str) -> tuple[bool, int]:
        named = self.choices[name].kit is None
        return named, self.merged.files.index(self._place(self._decider(name)).file)

    def _place(self, name: str) -> Source:
        return self.merged.place((_SECTION, name, "state"))

    def _place_below(self, name: str) -> Any:
        return lambda path: self.merged.place((_SECTION, name, *path))

    def _add(self, path: tuple[str, ...], finding: Finding) -> None:
        self.problems.append(self._problem(path, finding.what, finding.hint))

    def _problem(self, path: tuple[str, ...], what: str, hint: str) -> Problem:
        return Problem(str(self.merged.place((_SECTION, *path))), f"{'.'.join((_SECTION, *path))}: {what}", hint)


def _choice(model: StrictModel, *, full: bool) -> Choice:
    """The checked values of one product; with `full` the defaults too."""
    values = {name: getattr(model, name) for name in type(model).model_fields if full or name in model.model_fields_set}
    common = {name: values.pop(name) for name in _COMMON if name in values}
    return Choice(**common, settings=values)
