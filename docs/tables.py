"""What the pages that list keys share: tables, and links to pages that tell how to work with the keys."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]

_HEAD = "| key | type and allowed values | default | meaning |\n|---|---|---|---|\n"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table."""

    key: str
    values: str
    default: str
    meaning: str

    def __str__(self) -> str:
        """The line as Markdown; a bar would begin another cell."""
        cells = (f"`{self.key}`", self.values, self.default, self.meaning)
        return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def table(rows: Iterable[Row]) -> str:
    """The rows below their head."""
    return _HEAD + "".join(f"{row}\n" for row in rows)


def guide(page: str) -> str:
    """A link to a how-to page, with its title."""
    text = (ROOT / "docs/how-to" / f"{page}.md").read_text(encoding="utf-8")
    return f"[{text.partition(chr(10))[0].removeprefix('# ')}](../how-to/{page}.md)"
