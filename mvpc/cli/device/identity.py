"""The commands about a laptop's identity: allow one enrolment, enrol, take everything back from a lost one."""

from __future__ import annotations

from typing import Annotated

import typer

from mvpc.cli.context import current_project
from mvpc.cli.options import JsonOption, LaptopArgument
from mvpc.cli.seats import a_seat
from mvpc.errors import InputError


def token(
    laptop: LaptopArgument,
    minutes: Annotated[int, typer.Option(min=1, max=60, help="How long it is good for.")] = 60,
    as_json: JsonOption = False,
) -> None:
    """Allow one laptop to be enrolled once. The token is shown now and never again; an older one becomes void."""
    from mvpc.cli.enrolling import allow  # noqa: PLC0415 - loads SQLAlchemy, paramiko and cryptography

    allow(laptop, minutes=minutes, as_json=as_json)


def enroll(
    laptop: LaptopArgument,
    words: Annotated[
        str,
        typer.Option(help="The six words or the text of the QR code that the laptop shows, instead of being asked."),
    ] = "",
    new_key: Annotated[
        bool, typer.Option("--new-key", help="Let it make a new key, as when its TPM should have it instead of a file.")
    ] = False,
) -> None:
    """Give a laptop its identity: it makes its own key, you compare six words or a QR code, it gets its certificates.

    Asks for the token of `mvpc device token`; from a pipe, reads one line.
    """
    from mvpc.cli.enrolling import enroll as carry_out  # noqa: PLC0415 - as above

    carry_out(laptop, words=words, new_key=new_key)


def lost(
    laptop: LaptopArgument,
    reason: Annotated[str, typer.Option(help="What happened.")] = "lost",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Revoke everything a lost laptop could prove itself with, and publish that, in one step. Asks first.

    Where mvpc.toml names a publish_hook, that hands the lists over. Else the last lines say what is left to do.
    """
    from mvpc.cli.enrolling import give_up  # noqa: PLC0415 - as above

    if as_json and not yes:
        raise InputError("--json asks no questions", hint="Add --yes")
    give_up(laptop, reason=reason, yes=yes, as_json=as_json)


def arrivals(as_json: JsonOption = False) -> None:
    """List new laptops that came to the desk by themselves, and wait for somebody to compare their keys."""
    from mvpc.cli.desk import show_waiting  # noqa: PLC0415 - as above

    show_waiting(as_json=as_json)


def desk(
    proof: Annotated[str, typer.Option(help="What sshd wrote into $SSH_USER_AUTH.")],
    address: Annotated[str, typer.Option(help="Where the laptop came from.")],
) -> None:
    """Take down one new laptop from standard input; for sshd, not for people: see docs/how-to/enrol-laptops.md."""
    with a_seat(current_project().state / "desk"):
        from mvpc.cli.desk import serve  # noqa: PLC0415 - as above

        serve(proof=proof, address=address)
