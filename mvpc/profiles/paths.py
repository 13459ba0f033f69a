"""Settings paths (as keys in code, with dots for people) and places in files."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from mvpc.errors import Problem

Keys = tuple[str, ...]
"""A settings path as keys: keys may hold dots (`10.0.0.0/8`), so a dotted text is only for showing."""


def dotted(keys: Iterable[str | int]) -> str:
    """A path as people write it."""
    return ".".join(str(key) for key in keys)


def covers(path: str, other: str) -> bool:
    """Whether `other` is `path` itself or lies below it."""
    return other == path or other.startswith(f"{path}.")


def suggestion(word: str, known: Iterable[str]) -> str:
    """`Perhaps X is meant` for the nearest known word, or nothing."""
    near = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"Perhaps {near[0]} is meant" if near else ""


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    """Each problem once, by file and line."""
    return sorted(set(problems), key=_place)


def _place(problem: Problem) -> tuple[str, int, Problem]:
    file, _, line = problem.where.rpartition(":")
    return (file, int(line), problem) if line.isdecimal() else (problem.where, 0, problem)
