"""The command line: one file per command, which parses, calls and prints."""

from taller_cnn.cli.app import main

__all__ = ["main"]
