"""`mvpc catalogue`: the software that profiles may choose."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from mvpc.applications import FOLDER as APPLICATIONS
from mvpc.applications import load_applications
from mvpc.catalogue import FUNCTIONS, KINDS, Product, Program, Setting, WebService, example, load_catalogue
from mvpc.cli.console import BAD, OK, print_json, print_table, say
from mvpc.cli.context import current_project, today
from mvpc.cli.options import JsonOption
from mvpc.cli.readiness import readiness
from mvpc.cli.words import count, shown
from mvpc.errors import InputError, NotFoundError, Problem
from mvpc.organisation import load_organisation
from mvpc.profiles import Layers, in_order, suggestion
from mvpc.yamlfile import MappingNode, ScalarNode

app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def catalogue() -> None:
    """See and check the software that profiles may choose."""


app.command()(readiness)


# --- list ------------------------------------------------------------------------------------


@app.command("list")
def list_products(
    function: Annotated[str | None, typer.Option("--function", help="Only products for this, such as pdf.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List all products by what people use them for."""
    if function is not None and function not in FUNCTIONS:
        step = suggestion(function, FUNCTIONS) or f"Known: {', '.join(FUNCTIONS)}"
        raise NotFoundError(f"no function is called {function!r}", hint=step)
    products = load_catalogue(current_project().root)
    found = {name: each for name, each in products.items() if function in {None, function_of(each)}}
    if as_json:
        print_json([{"product": name, **_summary(each)} for name, each in found.items()])
        return
    rows = [(function_of(each), name, *_summary(each).values()) for name, each in found.items()]
    order = ("", *FUNCTIONS)
    shown = [(row[1], row[3], row[4], row[5]) for row in sorted(rows, key=lambda row: (order.index(row[0]), row[1]))]
    print_table(count(len(found), "product"), ("product", "function", "kind", "description"), shown)


def function_of(product: Product) -> str:
    """What a product is for; empty for kits, which are for several things."""
    return product.function if isinstance(product, (Program, WebService)) else ""


def _summary(product: Product) -> dict[str, str]:
    kind = next(kind for kind, model in KINDS.items() if isinstance(product, model))
    return {"name": product.name, "function": function_of(product), "kind": kind, "description": product.description}


# --- show ------------------------------------------------------------------------------------


@app.command()
def show(
    product: Annotated[str, typer.Argument(help="Name of a product: its file without .yml.")],
    as_json: JsonOption = False,
) -> None:
    """Show one product: what it brings, how it is verified, what a profile can set, and which layers choose it."""
    root = current_project().root
    products = load_catalogue(root)
    if product not in products:
        step = suggestion(product, products) or "See all with: mvpc catalogue list"
        raise NotFoundError(f"no product is called {product!r}", hint=step)
    found = products[product]
    layers = dict(_layers_with(Layers(root), product))
    if as_json:
        print_json(
            {"product": product, **found.model_dump(mode="json"), "layers": layers, "example": example(product, found)}
        )
        return
    say(f"{product} · {found.name}: {found.description}")
    for label, text in _facts(found):
        if text:
            say(f"  {label:13}{text}")
    if found.own_settings:
        rows = [(name, _type(each), _default(each), each.description) for name, each in found.own_settings.items()]
        print_table("", ("setting", "type", "default", "meaning"), rows)
    for line in ("", "Lines for a layer; take the # away from what shall be set:", ""):
        say(line)
    typer.echo(f"{example(product, found)}\n")
    for place, state in layers.items():
        say(f"  {place}  {state}")
    say("No layer chooses it" if not layers else f"Named by {count(len(layers), 'layer')}")


def _facts(product: Product) -> Iterator[tuple[str, str]]:
    """Labels and texts, without what a product does not say."""
    data = product.model_dump(mode="json")
    for key in (
        "function",
        "licence",
        "source",
        "url",
        "packages",
        "app",
        "remote",
        "branch",
        "products",
        "units",
        "desktop",
        "opens",
    ):
        yield key, _listed(data.get(key))
    for group in ("releases", "locales"):
        for name, packages in data.get(group, {}).items():
            yield name, _listed(packages) or "does not exist there"
    for key in ("conflicts", "replaces", "requires"):
        yield key, _listed(data[key])
    for each in data.get("files", ()):
        yield "file", each["path"]
    for each in data.get("verify", ()):
        yield "verify", " ".join(each["argv"])


def _listed(value: Any) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value or "")


def _type(setting: Setting) -> str:
    if setting.type == "choice":
        return ", ".join(setting.choices)
    if setting.type == "integer":
        return " ".join(("integer", *_bounds(setting)))
    return setting.type if setting.pattern is None else f"{setting.type} like {setting.pattern}"


def _bounds(setting: Setting) -> Iterator[str]:
    if setting.minimum is not None:
        yield f"from {setting.minimum}"
    if setting.maximum is not None:
        yield f"to {setting.maximum}"


def _default(setting: Any) -> str:
    return "" if setting.default is None else shown(setting.default)


def _layers_with(layers: Layers, product: str) -> Iterator[tuple[str, str]]:
    """Place and state of every layer that names the product."""
    for file in layers.files:
        software = layers.layer(file).settings.entries.get("software")
        choice = software.entries.get(product) if isinstance(software, MappingNode) else None
        if isinstance(choice, MappingNode):
            state = choice.entries.get("state")
            yield str(choice.source), str(state.value) if isinstance(state, ScalarNode) else "settings only"


# --- check -----------------------------------------------------------------------------------


@app.command()
def check(as_json: JsonOption = False) -> None:
    """Check every product and specialist application, and fill every template. Exit code 2 when something is wrong."""
    problems, total = _checked()
    if as_json:
        print_json({"valid": not problems, "products": total, "problems": [asdict(each) for each in problems]})
    else:
        for problem in problems:
            say(problem)
        if problems:
            say(count(len(problems), "problem"), style=BAD, err=True)
        else:
            say(f"the catalogue is valid: {count(total, 'product')}", style=OK)
    if problems:
        raise typer.Exit(InputError.exit_code)


def _checked() -> tuple[list[Problem], int]:
    from mvpc.render.software.trial import template_problems  # noqa: PLC0415 - loads the renderer

    root = current_project().root
    try:
        products = load_catalogue(root)
    except InputError as error:
        return list(error.problems), 0
    return in_order([*template_problems(root, products), *_application_problems(root)]), len(products)


def _application_problems(root: Path) -> tuple[Problem, ...]:
    """What is wrong with the files of specialist applications."""
    if not (root / APPLICATIONS).is_dir():
        return ()
    try:
        load_applications(root, load_organisation(root), on=today())
    except InputError as error:
        return error.problems
    return ()
