"""A change that rollouts can bring to every laptop, and that everybody can see: one kernel parameter."""

from __future__ import annotations

from tests.acceptance.admin import Admin

_READ = "grep -hs kernel.panic /etc/sysctl.d/60-mvpc.conf | cut -d= -f2 || true"


def want_parameter(admin: Admin, value: int, *, extra: str = "") -> None:
    """Set it in the layer of the laptops' authority, with more of that layer."""
    text = f"base:\n  sysctl:\n    kernel.panic: {value}\n{extra}"
    (admin.root / "profiles/authorities/zdmv.yml").write_text(text)


def parameters(admin: Admin) -> dict[str, int]:
    """Laptop -> the parameter as it is in its file; 0 where there is none."""
    return {name: int(text or 0) for name, text in admin.on_all(_READ).items()}


def parameter(admin: Admin, laptop: str) -> int:
    """The same of one laptop, while others may be off."""
    return int(admin.on(laptop, _READ) or 0)


def everywhere(admin: Admin, value: int) -> dict[str, int]:
    """The parameters when all laptops have this one."""
    return dict.fromkeys(admin.addresses, value)
