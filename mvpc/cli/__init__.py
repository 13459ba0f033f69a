"""The command line: the only part of mvpc that knows a terminal."""
