"""`mvpc` and `python -m mvpc`."""

from __future__ import annotations


def main() -> None:
    """Run the command line and exit with its code."""
    # Here and not above: imports take a moment, in which a signal may come already.
    from mvpc.cli import signals  # noqa: PLC0415

    try:
        signals.listen()
        from mvpc.cli.app import app  # noqa: PLC0415

        app()
    except signals.Interrupted as error:
        raise SystemExit(error.exit_code) from None


if __name__ == "__main__":
    main()
