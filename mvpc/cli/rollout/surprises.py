"""Say loudly that the sample was not unchanged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mvpc.cli.console import BAD, say
from mvpc.cli.words import count
from mvpc.model import ComponentResult


def say_surprises(found: Sequence[ComponentResult]) -> None:
    """Name every component of the sample that was changed; says nothing where all is well."""
    if found:
        number = len({result.device for result in found})
        says = "says" if number == 1 else "say"
        say(f"SAMPLE DIFFERS: {count(number, 'laptop')} that {says} to be unchanged had to be changed", style=BAD)
        for line in _lines(found):
            say(line, style=BAD)
        say("Others may lie as well. Find out why, then walk all in full: mvpc rollout --full", style=BAD)


def _lines(found: Sequence[ComponentResult]) -> Iterator[str]:
    for result in found:
        yield f"  {result.device}  {result.component}: {'; '.join(result.changes)}"
