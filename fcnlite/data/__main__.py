"""`python -m fcnlite.data`: the door to the command in fcnlite/inspection, which is above this package."""

from __future__ import annotations

import sys

from fcnlite._cli.running import run_command
from fcnlite.inspection.command import main

if __name__ == "__main__":
    sys.exit(run_command(main))
