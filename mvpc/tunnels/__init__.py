"""The other side of the tunnels: what gateways must know of laptops, and whether they do."""

from __future__ import annotations

from mvpc.tunnels.checking import Fault, faults
from mvpc.tunnels.files import IKEV2, NOBODY, WIREGUARD, Difference, difference, ikev2_file, wireguard_file
from mvpc.tunnels.peers import Laptop, Peer, Waiting, common_ikev2, peers_of
from mvpc.tunnels.reading import Answer, Said, read_gateway

__all__ = [
    "IKEV2",
    "NOBODY",
    "WIREGUARD",
    "Answer",
    "Difference",
    "Fault",
    "Laptop",
    "Peer",
    "Said",
    "Waiting",
    "common_ikev2",
    "difference",
    "faults",
    "ikev2_file",
    "peers_of",
    "read_gateway",
    "wireguard_file",
]
