"""Ask laptops how they are: one SSH connection, one program over stdin, one JSON answer. Nothing is changed there.

Host keys come from the inventory alone; there is no trust on first use. What a laptop answers is hostile until
`mvpc.device.parse_answer` has accepted it.

    prober   SshProber, the `Prober` of a rollout: all laptops at once
    calls    TCP connections to all laptops at once, so that those who are away cost one time-out in all
    session  log in, run the program, read what it says; our own key
"""

from mvpc.ssh.prober import SshProber
from mvpc.ssh.session import certificate_path, make_key

__all__ = ["SshProber", "certificate_path", "make_key"]
