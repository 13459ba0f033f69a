"""`mvpc` and `python -m mvpc`."""

from __future__ import annotations


def main() -> None:
    """Run the command line and exit with its code."""
    from mvpc.cli.app import app  # noqa: PLC0415 - keeps `import mvpc.__main__` free of effects

    app()


if __name__ == "__main__":
    main()
