"""The fixture that calls commands, here too."""

from tests.cli.conftest import command

__all__ = ["command"]
