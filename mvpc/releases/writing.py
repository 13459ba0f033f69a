"""A release as the text of its file: sorted, one package a line, so that git shows what changes."""

from __future__ import annotations

import json
from collections.abc import Iterator

from mvpc.releases.release import ReleaseFile


def release_text(ring: str, content: ReleaseFile) -> str:
    """The whole file."""
    return "\n".join(_lines(ring, content)) + "\n"


def _lines(ring: str, content: ReleaseFile) -> Iterator[str]:
    yield f"# Versions for the laptops of ring {ring}. Written by: mvpc software release {ring}"
    yield f"name: {json.dumps(content.name, ensure_ascii=False)}"
    yield f'date: "{content.date}"'
    if content.proved:
        yield "proved:"
        yield from (f"  {key}: {value}" for key, value in content.proved.model_dump().items())
    yield "versions:"
    for os, products in sorted(content.versions.items()):
        yield f"  {os}:"
        for product, packages in sorted(products.items()):
            yield f"    {product}:"
            yield from (f'      {package}: "{version}"' for package, version in sorted(packages.items()))
