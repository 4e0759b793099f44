"""Running what README.md and docs/*.md show: Python blocks in one interpreter a document, commands in a shell.

Both run in a folder of their own, where `scenery.py` has made the files that a block speaks of. Commands run as they are
written, by a Python that shortens trainings (SHORTER) and leaves the benchmarks out, which take half an hour.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

SHORTER = "--iterations 1 --check-every 8 --width 0.0625"
"""Added to trainings but those that go on: of options given twice the last one counts."""

PYTHON = f"""#!/bin/sh
case " $* " in
    *" -m benchmarks "*) exit 0 ;;
    *" --resume "*) ;;
    *" -m fcnlite.train "*) set -- "$@" {SHORTER} ;;
esac
exec "{sys.executable}" "$@"
"""
FCNLITE = """#!/bin/sh
exec python -m "fcnlite.$@"
"""
INTERPRETER = """
import json, sys, traceback
names, out = {"__name__": "document"}, sys.stdout
sys.stdout = sys.stderr
sys.path.insert(0, "")
for line in sys.stdin:
    try:
        exec(compile(json.loads(line), "the block", "exec"), names)
        said = ""
    except BaseException:
        said = traceback.format_exc()
    print(json.dumps(said), file=out, flush=True)
"""


class Block(NamedTuple):
    language: str
    code: str


def blocks(document: Path) -> list[Block]:
    """The fenced blocks, those in lists too."""
    found = re.findall(r"^( *)```(\w*)\n(.*?)^\1```$", document.read_text(), re.M | re.S)
    return [Block(language, textwrap.dedent(code)) for _, language, code in found]


def commands(folder: Path) -> Path:
    """Put `python`, `fcnlite` and `make` into a folder for the shell to find, and `.venv/bin/python`."""
    bin_ = folder / ".venv" / "bin"
    bin_.mkdir(parents=True)
    for name, script in (("python", PYTHON), ("fcnlite", FCNLITE), ("make", "#!/bin/sh\n")):
        (bin_ / name).write_text(script)
        (bin_ / name).chmod(0o755)
    return bin_


@contextmanager
def runner(folder: Path) -> Iterator[Callable[[Block], str]]:
    """A function that runs a block in `folder` and returns what went wrong."""
    path = f"{commands(folder)}{os.pathsep}{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    with (
        (folder / "said").open("w+") as said,
        subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", INTERPRETER],
            cwd=folder,
            env=env,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
        ) as interpreter,
    ):
        assert interpreter.stdin is not None and interpreter.stdout is not None

        def run(block: Block) -> str:
            if block.language == "sh":
                shell = ["bash", "-e", "-c", block.code]
                ended = subprocess.run(shell, cwd=folder, env=env, text=True, capture_output=True, timeout=120)
                return f"status {ended.returncode}\n{ended.stdout[-2000:]}{ended.stderr[-2000:]}" * bool(ended.returncode)
            print(json.dumps(block.code), file=interpreter.stdin, flush=True)
            return str(json.loads(interpreter.stdout.readline()))

        try:
            yield run
        finally:
            interpreter.stdin.close()
