"""Sources that nobody signs, in the words of apt on Debian 12 and 13."""

from __future__ import annotations

import pytest

from mvpc.device.converge.packages import refused_source

URL = "http://apt.mv.example/own"
MISSING = "Missing key 4EBC08362C4C42E05F353B4773A218DE9671C1F6, which is needed to verify signature."
SUB = f"Sub-process /usr/bin/sqv returned an error code (1), error message is: {MISSING}"


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (f"E: The repository '{URL} ./ Release' is not signed.", f"The repository '{URL} ./ Release' is not signed"),
        (
            f"E: The repository '{URL} ./ Release' is no longer signed.",
            f"The repository '{URL} ./ Release' is no longer signed",
        ),
        (
            f"W: An error occurred during the signature verification. {URL} ./ InRelease: {SUB}",
            MISSING.rstrip("."),
        ),
        (
            f"W: GPG error: {URL} ./ InRelease: The following signatures were invalid: BADSIG 0123",
            f"GPG error: {URL} ./ InRelease: The following signatures were invalid: BADSIG 0123",
        ),
    ],
)
def test_a_source_whose_signature_is_no_good_is_named_with_the_reason_and_the_next_step(said: str, reason: str):
    words = f"source {URL} is refused ({reason}): give it the key that signs it, or take it away"
    assert refused_source(f"W: something else\n{said}\n") == words


@pytest.mark.parametrize("said", ["", f"E: Failed to fetch {URL}/./InRelease  404  Not Found"])
def test_a_source_that_is_only_away_is_not_called_refused(said: str):
    assert refused_source(said) == ""
