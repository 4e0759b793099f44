"""Other programs: how the scripts of a release run them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def run(*words: str | Path, cwd: Path = ROOT, **variables: str) -> None:
    """Show and run a command, with further environment variables. Raises `CalledProcessError` if it fails."""
    print("$", *words, file=sys.stderr, flush=True)
    subprocess.run(words, cwd=cwd, check=True, env=os.environ | variables)


def output(*words: str | Path, cwd: Path = ROOT) -> str:
    """What a command prints. Raises `CalledProcessError` if it fails."""
    return subprocess.run(words, cwd=cwd, check=True, capture_output=True, text=True).stdout
