"""Disposable laptops from an image, on this machine: real systemd, sshd and NetworkManager.

Containers are up in a second; virtual machines take half a minute, and have a kernel and Wi-Fi of their own.

    lab = Lab()
    laptops = lab.up(image.path, [LaptopSpec("nb-000001")], admin_key=public_key, on_step=print)
    lab.down()

Everything is noted in a journal before it is made, so `down` also cleans up after a crash. Needs root and
systemd-nspawn, iproute2 and nginx from Debian; virtual machines need QEMU, too.
"""

from __future__ import annotations

from mvpc.lab.air import Broadcast, Login
from mvpc.lab.gateway import Gateway
from mvpc.lab.host import missing_requirements
from mvpc.lab.lab import Lab
from mvpc.lab.laptop import Laptop, LaptopKind, LaptopSpec
from mvpc.lab.radius import Radius, Trust

__all__ = [
    "Broadcast",
    "Gateway",
    "Lab",
    "Laptop",
    "LaptopKind",
    "LaptopSpec",
    "Login",
    "Radius",
    "Trust",
    "missing_requirements",
]
