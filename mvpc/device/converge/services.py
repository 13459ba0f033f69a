"""Whether central services can be reached from the laptop; only a probe that asks for it is told."""

from __future__ import annotations

from mvpc.device.converge.machine import TIMED_OUT, Machine
from mvpc.device.converge.request import Survey
from mvpc.device.converge.software import APART, first_line
from mvpc.device.converge.words import MAX_WORDS


def services(machine: Machine, survey: Survey) -> dict[str, str]:
    """What the program that asks services said, or why it could not be run. One process for all services."""
    argv = [*APART, f"--property=RuntimeMaxSec={survey.seconds}", "--", "python3", "-I", "-"]
    ran = machine.run(argv, timeout=survey.seconds + 10, stdin=survey.program)
    if ran.code == 0:
        return {"said": ran.out, "error": ""}
    why = f"not done within {survey.seconds} s" if ran.code == TIMED_OUT else first_line(ran.err, ran.out)
    return {"said": "", "error": why[:MAX_WORDS]}
