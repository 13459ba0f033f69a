from __future__ import annotations

from mvpc.model import HostWork
from mvpc.playbook.shards import LARGEST, SMALLEST, shards
from mvpc.testing import a_bundle, a_device


def work(number: int, *components: str, first: int = 0) -> list[HostWork]:
    names = [f"nb-{each:06}" for each in range(first, first + number)]
    return [
        HostWork(device=a_device(name), bundle=a_bundle(name), components=components, generation=1) for name in names
    ]


def names(items: list[HostWork] | tuple[HostWork, ...]) -> list[str]:
    return [item.device.hostname for item in items]


def test_few_laptops_are_not_worth_a_second_process():
    [only] = shards(work(SMALLEST * 2 - 1, "base"), processes=8)
    assert len(only) == SMALLEST * 2 - 1


def test_every_process_gets_its_share_when_there_are_enough_laptops():
    found = shards(work(60, "base"), processes=2)
    assert [len(shard) for shard in found] == [30, 30]


def test_no_shard_is_larger_than_the_largest():
    found = shards(work(1001, "base"), processes=2)
    assert max(map(len, found)) <= LARGEST
    assert min(map(len, found)) >= LARGEST // 2


def test_laptops_with_the_same_components_go_together():
    found = shards([*work(30, "base"), *work(40, "base", "wifi", first=100)], processes=2)
    assert [{item.components for item in shard} for shard in found] == [{("base",)}, {("base", "wifi")}]


def test_groups_too_small_for_a_process_share_one():
    few = [*work(3, "base"), *work(2, "vpn", first=10), *work(4, "wifi", first=20)]
    found = shards([*work(30, "software", first=100), *few], processes=2)
    assert [len(shard) for shard in found] == [30, 9]


def test_every_laptop_is_in_exactly_one_shard():
    everything = [*work(333, "base"), *work(7, "vpn", first=1000), *work(260, "base", "wifi", first=2000)]
    found = [name for shard in shards(everything, processes=3) for name in names(shard)]
    assert sorted(found) == sorted(names(everything))


def test_no_work_is_no_shard():
    assert shards([], processes=2) == []
