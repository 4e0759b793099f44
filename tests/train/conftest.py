"""The fixtures that call commands, here too."""

from tests.cli.conftest import command, no_pictures

__all__ = ["command", "no_pictures"]
