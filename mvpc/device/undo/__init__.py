"""What brings a laptop back from a change of its way in. Runs there alone, beside the device program and after it.

    look    say which rules the kernel has, and which ways are open: sshd, router, names, tunnel
    settle  after the answer: let services read the change, and see that what was open before is open again; if it is
            not, take the change back
    (none)  take the change back, since its time is up
    boot    take the change back, since the laptop was started again before anybody confirmed

An apply that touches the way in stores this program beside copies of all files that it may change, and the guard of the
device program (`converge/guard.py`) writes the manifest that it works by. Several modules to read, one text to send, as
with the device program: Python >= 3.9, its standard library, and parts before it. It may be interrupted anywhere: the
manifest is removed last.
"""

from __future__ import annotations

PARTS = ("tools", "files", "ways", "network", "taking_back", "settling", "start")
"""The modules of this package. Each imports only from those before it, by `from ... import name`."""
