"""Read every file of the catalogue, and check what products say about each other."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from pydantic import ValidationError

from mvpc.catalogue.products import KINDS, Kit, Product
from mvpc.errors import InputError, Problem
from mvpc.model import Source
from mvpc.profiles import FOLDER, dotted, in_order, is_note, suggestion
from mvpc.strict import problems_of
from mvpc.yamlfile import MappingNode, Node, ScalarNode, load, place_of, to_plain

CATALOGUE = f"{FOLDER}/catalogue"
_RELATIONS = ("conflicts", "replaces", "requires", "products")


def load_catalogue(root: Path) -> dict[str, Product]:
    """Every product of a project folder by the name of its file.

    Raises:
        InputError: with every problem of all files.
    """
    products: dict[str, Product] = {}
    nodes: dict[str, Node] = {}
    problems: list[Problem] = []
    for path in sorted(path for path in (root / CATALOGUE).glob("*") if not is_note(path)):
        try:
            nodes[path.stem] = _node(path, root)
            products[path.stem] = _product(nodes[path.stem])
        except InputError as error:
            problems += error.problems
    for name, product in products.items():
        problems += _relation_problems(name, product, products, nodes)
    if problems:
        raise InputError.of(in_order(problems))
    return products


def place_in(root: Path, product: str, path: Sequence[str | int] = ()) -> Source:
    """The line of a key in a product's file."""
    return place_of(load(root / CATALOGUE / f"{product}.yml", root=root), path)


def _node(path: Path, root: Path) -> Node:
    if not re.fullmatch(r"[a-z0-9][a-z0-9+-]*\.yml", path.name):
        where = f"{path.relative_to(root).as_posix()}:1"
        raise InputError("a file of the catalogue is called PRODUCT.yml, in lower case", where=where, hint="Rename it")
    return load(path, root=root)


def _product(node: Node) -> Product:
    model = KINDS["package"]
    kind = node.entries.get("kind") if isinstance(node, MappingNode) else None
    if kind is not None:
        named = kind.value if isinstance(kind, ScalarNode) else None
        if not isinstance(named, str) or named not in KINDS:
            raise InputError(f"kind: must be one of {', '.join(KINDS)}", where=str(kind.source), hint="Correct it")
        model = KINDS[named]
    try:
        return model.model_validate(to_plain(node))
    except ValidationError as error:
        raise InputError.of(problems_of(error, model=model, place=partial(place_of, node))) from None


def _relation_problems(
    name: str, product: Product, products: Mapping[str, Product], nodes: Mapping[str, Node]
) -> Iterator[Problem]:
    """Products that it names and that cannot be meant. Files that are broken themselves count as known."""
    for relation in _RELATIONS:
        for number, other in enumerate(getattr(product, relation, ())):
            complaint = _complaint(name, relation, other, products, nodes)
            if complaint:
                what, hint = complaint
                path = (relation, number)
                yield Problem(str(place_of(nodes[name], path)), f"{dotted(path)}: {what}", hint)


def _complaint(
    name: str, relation: str, other: str, products: Mapping[str, Product], nodes: Iterable[str]
) -> tuple[str, str] | None:
    if other not in nodes:
        return f"{other} is not in the catalogue", suggestion(other, nodes) or f"Add {CATALOGUE}/{other}.yml"
    if other == name:
        return "names the product itself", "Remove it"
    found = products.get(other)
    if isinstance(found, Kit):
        return f"{other} is a kit", "Name the products themselves"
    if relation == "replaces" and found and name in found.replaces:
        return f"{other} replaces {name} as well", "Keep one of the two"
    return None
