"""Compare what a gateway says with what the inventory wants."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from mvpc.tunnels.peers import Peer
from mvpc.tunnels.reading import Answer, Said


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Fault:
    """One laptop on which gateway and inventory do not agree."""

    kind: str
    """`unknown`: the gateway lets in what the inventory does not; `missing`: the other way round; `addresses`."""
    who: str
    """Hostname, or what the gateway calls it: foreign text."""
    detail: str


def faults(peers: Sequence[Peer], answer: Answer) -> tuple[Fault, ...]:
    """Every disagreement, each once. Laptops without a security association are asleep, not missing."""
    found = set(_unexpected(peers, answer.laptops))
    for source, provider in (("wireguard", "wireguard"), ("connections", "ikev2")):
        if source in answer.sources:
            names = {each.name for each in answer.laptops if each.source == source}
            found.update(_missing(names, [peer for peer in peers if peer.provider == provider], source))
    return tuple(sorted(found))


def _unexpected(peers: Iterable[Peer], said: Iterable[Said]) -> Iterator[Fault]:
    by_key = {peer.public_key: peer for peer in peers if peer.provider == "wireguard"}
    by_name = {peer.device: peer for peer in peers if peer.provider == "ikev2"}
    for each in said:
        peer = (by_key if each.source == "wireguard" else by_name).get(each.name)
        if peer is None:
            yield Fault(kind="unknown", who=each.name, detail=f"{each.source}: {_list(each.addresses or ())}")
        elif each.addresses is not None and each.addresses != frozenset(peer.addresses):
            detail = f"{each.source}: has {_list(each.addresses)}, should have {_list(peer.addresses)}"
            yield Fault(kind="addresses", who=peer.device, detail=detail)


def _missing(names: set[str], peers: Iterable[Peer], source: str) -> Iterator[Fault]:
    for peer in peers:
        if (peer.public_key or peer.device) not in names:
            yield Fault(kind="missing", who=peer.device, detail=f"{source}: the gateway does not let it in")


def _list(addresses: Iterable[str]) -> str:
    return ", ".join(sorted(addresses)) or "no address"
