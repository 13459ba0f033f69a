"""Check every profile that a device has or could have, and collect everything that is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from mvpc.errors import InputError, Problem, SecretError
from mvpc.profiles import Codes, in_order
from mvpc.settings.stacks import Profile, Profiles


@dataclass(frozen=True, slots=True)
class Report:
    """What a check looked at, and what it found."""

    layers: int
    stacks: int
    problems: tuple[Problem, ...]


def check(profiles: Profiles, codes: Iterable[Codes], *, secrets: Callable[[str], object] | None = None) -> Report:
    """Check all layer files, the catalogue, and each distinct stack of layers of the given devices.

    Args:
        profiles: the profiles of a project folder.
        codes: devices that exist or could exist.
        secrets: resolves the name of a Wi-Fi key, raises SecretError when it is not there and InputError when it is no
            good; None leaves secrets unchecked.
    """
    problems: list[Problem] = [*_problems(lambda: profiles.catalogue), *_problems(lambda: profiles.roles)]
    for file in profiles.layers.files:
        problems += _problems(profiles.layers.layer, file)
    stacks: set[tuple[str, ...]] = set()
    for each in codes:
        problems += _problems(_add, stacks, profiles, each)
    for stack in sorted(stacks):
        found = _problems(profiles.of_stack, stack)
        problems += found
        if secrets and not found:
            problems += secret_problems(profiles.of_stack(stack), secrets)
    return Report(len(profiles.layers.files), len(stacks), tuple(in_order(problems)))


def _add(stacks: set[tuple[str, ...]], profiles: Profiles, codes: Codes) -> None:
    stacks.add(profiles.layers.stack(**codes))


def _problems(action: Callable[..., Any], *arguments: Any) -> tuple[Problem, ...]:
    try:
        action(*arguments)
    except InputError as error:
        return error.problems
    return ()


def secret_problems(profile: Profile, resolve: Callable[[str], object]) -> Iterator[Problem]:
    """Every secret of a profile that cannot be resolved, at the line that names it."""
    for name, network in profile.settings.wifi.networks.items():
        if network.state == "absent" or network.psk is None:
            continue
        path = ("wifi", "networks", name, "psk", "secret")
        try:
            resolve(network.psk.secret)
        except (InputError, SecretError) as error:
            where = str(profile.merged.place(path))
            yield from (Problem(where, f"{'.'.join(path)}: {each.what}", each.hint) for each in error.problems)
