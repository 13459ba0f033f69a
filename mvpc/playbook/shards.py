"""How work is divided among several ansible-playbook processes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from math import ceil

from mvpc.model import HostWork

LARGEST = 100
"""Laptops in a shard. More would make each process larger and each of its forks slower."""
SMALLEST = 25
"""Laptops that are worth a process of their own: starting it costs as much CPU as 30 results."""


def shards(work: Sequence[HostWork], *, processes: int) -> list[tuple[HostWork, ...]]:
    """Divide the work: laptops with the same components together, and enough shards to keep all processes busy.

    What is left in groups too small to be worth a start is put together, whatever its components.
    """
    groups: dict[tuple[str, ...], list[HostWork]] = {}
    for item in work:
        groups.setdefault(item.components, []).append(item)
    large = [group for group in groups.values() if len(group) >= SMALLEST]
    small = list(chain.from_iterable(group for group in groups.values() if len(group) < SMALLEST))
    return list(chain.from_iterable(_slices(group, processes) for group in (*large, small)))


def _slices(group: Sequence[HostWork], processes: int) -> Iterator[tuple[HostWork, ...]]:
    """Slices of nearly the same size: at most LARGEST, and at least SMALLEST where there is a choice."""
    number = max(ceil(len(group) / LARGEST), min(processes, len(group) // SMALLEST), 1 if group else 0)
    for position in range(number):
        yield tuple(group[position::number])


def longest(work: Iterable[HostWork]) -> int:
    """The number of components of the laptop that has most of them."""
    return max(len(item.components) for item in work)
