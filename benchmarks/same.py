"""Checks that this tree computes the same bytes as another commit: `python -m benchmarks.same COMMIT`.

Both versions run the same script on the same files: every net of the zoo, single layers and random nets, nets and
solvers of Caffe from $FCNLITE_SHARED, steps of every solver, and short trainings; on both paths, with every instruction
set of this machine, on one thread and on two. The digests of all outputs, gradients, parameters and written arrays are
compared. The status is 1 where one differs.

The commit is checked out and its kernels are built in a temporary folder; --tree DIR takes a tree that is already
built. This tree must have its kernels built and the test requirements installed (`make install-test`). A comparison
takes about ten minutes on two cores.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import fcnlite
from benchmarks.machine import environment
from fcnlite._cli.running import run_command
from fcnlite._kernels import isa
from fcnlite.errors import FcnliteError
from fcnlite.net import Net
from tests import random_nets
from tests.layers.examples import EXAMPLES

ROOT = Path(__file__).parents[1]
EXAMPLES_EACH = 6
"""Drawn cases of each layer type."""
RANDOM_NETS = 60
REAL: dict[str, tuple[str, str, tuple[int, ...]]] = {
    "lenet_v1": ("lenet_image_memory_data.prototxt", "lenet_iter_10000", (2, 1, 28, 28)),
    "cifar10_v1": ("cifar10_full.prototxt", "cifar10_full_iter_70000.caffemodel", (2, 3, 32, 32)),
    "cifar10_v2_hdf5": ("cifar10_quick.prototxt", "cifar10_quick_iter_5000.caffemodel.h5", (2, 3, 32, 32)),
    "mtcnn": ("det1.prototxt", "det1.caffemodel", (1, 3, 45, 61)),
    "super_resolution": ("sr.prototxt", "sr.caffemodel", (1, 1, 33, 47)),
    "triplet_3d": ("3d_triplet_testIMG.prototxt", "3d_triplet_iter_30000.caffemodel", (1, 1, 64, 64)),
}
"""The description, the weights and the shape of `data` by folder of $FCNLITE_SHARED/real."""

Digests = Mapping[str, str]


class DifferenceError(FcnliteError):
    """The two versions differ, or one of them fails."""


class Setting(NamedTuple):
    """The settings of a worker."""

    path: str
    isa: str
    threads: int

    def __str__(self) -> str:
        where = f"{self.path} path" if self.path == "plain" else f"{self.path} path, {self.isa}"
        return f"{where}, {self.threads} thread{'s' if self.threads > 1 else ''}"


# The files that both versions read


def drawn(strategy: st.SearchStrategy[Any], count: int) -> list[Any]:
    """The last `count` values that hypothesis draws: the first are the simplest."""
    found: list[Any] = []

    @settings(
        max_examples=2 * count,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def collect(value: Any) -> None:
        found.append(value)

    collect()
    return found[-count:]


def write_case(
    folder: Path, arrays: Mapping[str, Any], files: Sequence[Path | str], phases: Sequence[str], seed: int = 0
) -> None:
    """A case as `same_worker.cases` reads it."""
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / "arrays.npz", **{name: np.asarray(array, np.float32) for name, array in arrays.items()})
    case = {"files": [str(each) for each in files], "phases": list(phases), "seed": seed}
    (folder / "case.json").write_text(json.dumps(case))


def write_net(folder: Path, net: Net, inputs: Mapping[str, Any], phases: Sequence[str], seed: int = 0) -> None:
    """A case of one of our nets, as Caffe's files."""
    folder.mkdir(parents=True)
    fcnlite.caffe.save(net, folder / "net.prototxt", folder / "net.caffemodel")
    files = ["net.prototxt", *(["net.caffemodel"] if net.params else [])]
    write_case(folder, {f"in.{name}": array for name, array in inputs.items()}, files, phases, seed)


def write_files(folder: Path) -> None:
    """All cases and solvers, below `folder`."""
    cases = folder / "cases"
    for kind, strategy in EXAMPLES.items():
        for i, example in enumerate(drawn(strategy, EXAMPLES_EACH)):
            net = example.net("float32")
            write_net(cases / f"layer {kind} {i}", net, example.inputs(), [example.phase], example.seed)
    for i, spec in enumerate(drawn(random_nets.specs(), RANDOM_NETS)):
        inputs = {"data": random_nets.picture(spec)}
        write_net(cases / f"random net {i}", random_nets.with_values(spec), inputs, ["TEST", "TRAIN"])
    for file in sorted((ROOT / "weights").glob("*.h5")):
        (shape,) = (
            layer.options["shape"][0]["dim"] for layer in fcnlite.load(file).spec.layers if layer.top == ("data",)
        )
        given = {"in.data": np.random.default_rng(3).normal(0, 40, (1, shape[1], 61, 83))}
        write_case(cases / f"shipped {file.stem}", given, [file], ["TEST"])
    shared = Path(os.environ.get("FCNLITE_SHARED", ROOT.parent / "shared"))
    if not (shared / "reference").is_dir():
        print(f"{shared} (FCNLITE_SHARED) does not exist: the nets and solvers of Caffe are left out.", flush=True)
    for file in sorted((shared / "reference" / "layers").glob("*.npz")):
        arrays = dict(np.load(file))
        before = "param_before." if any(name.startswith("param_before.") for name in arrays) else "param."
        given = {name: array for name, array in arrays.items() if name.startswith("in.")}
        for name, array in arrays.items():
            if name.startswith(before):
                given[f"param.layer.{name.removeprefix(before)}"] = array
        write_case(cases / f"Caffe layer {file.stem}", given, [file.with_suffix(".prototxt")], ["TRAIN"])
    for file in sorted((shared / "reference" / "nets").glob("*/case.npz")):
        given = {name: array for name, array in np.load(file).items() if name.startswith("in.")}
        files = [file.with_name("net.prototxt"), file.with_name("weights.caffemodel")]
        write_case(cases / f"Caffe net {file.parent.name}", given, files, ["TEST", "TRAIN"])
    for name, (net, weights, shape) in REAL.items():
        place = shared / "real" / name
        if place.is_dir():
            given = {"in.data": np.random.default_rng(3).normal(0, 40, shape)}
            write_case(cases / f"real {name}", given, [place / net, place / weights], ["TEST"])
    if (shared / "reference" / "solvers").is_dir():
        shutil.copytree(shared / "reference" / "solvers", folder / "solvers")


# Running


@contextmanager
def built(commit: str, folder: Path) -> Iterator[Path]:
    """A folder with the package of the commit, built as `make install` builds it, while the block runs."""
    tree, package = folder / "tree", folder / "package"
    git = ["git", "-C", str(ROOT), "worktree"]
    run([*git, "add", "--detach", str(tree), commit])
    try:
        run([sys.executable, "-m", "pip", "install", "--no-deps", "--no-compile", "--target", str(package), str(tree)])
        yield package
    finally:
        run([*git, "remove", "--force", str(tree)])


def run(command: Sequence[str], **options: Any) -> str:
    """The standard output of a command. Raises `DifferenceError` with the end of its output if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if done.returncode:
        said = "\n".join(done.stderr.strip().splitlines()[-12:])
        raise DifferenceError(f"{' '.join(command)}\nended with status {done.returncode}:\n{said}")
    return done.stdout


def computed(tree: Path, setting: Setting, folder: Path) -> Digests:
    """The digests of all results of the version in `tree`."""
    variables = {
        **environment(setting.threads),
        "PYTHONPATH": str(tree),
        "PYTHONWARNINGS": "ignore",
        "FCNLITE_ISA": setting.isa,
    }
    command = [sys.executable, "same_worker.py", setting.path, str(setting.threads), str(folder)]
    found = json.loads(run(command, cwd=folder, env=variables).splitlines()[-1])
    if Path(found.pop("version")) != tree.resolve():
        raise DifferenceError(f"{tree}: another version of fcnlite was imported.")
    return found


def differences(old: Digests, new: Digests) -> list[str]:
    """The differences in words, one line for each result."""
    lines = [f"{name}: only the old version has it" for name in old if name not in new]
    lines += [f"{name}: only the new version has it" for name in new if name not in old]
    for name in old:
        if name in new and old[name] != new[name]:
            errors = [each for each in (old[name], new[name]) if each.startswith("error ")]
            lines.append(f"{name}: differs" + (f" ({old[name][:40]} before, {new[name][:40]} now)" if errors else ""))
    return lines


def compare(old: Path, new: Path, folder: Path) -> str:
    """Run both versions in every setting. Raises `DifferenceError`, naming each."""
    shutil.copy(Path(__file__).with_name("same_worker.py"), folder)
    write_files(folder)
    chosen = [Setting("plain", isa.available()[0], 1), Setting("plain", isa.available()[0], 2)]
    chosen += [Setting("fast", each, threads) for each in isa.available() for threads in (1, 2)]
    different, equal, errors = [], 0, 0
    for setting in chosen:
        began = time.perf_counter()
        with ThreadPoolExecutor(2 if setting.threads == 1 else 1) as pool:
            before, now = pool.map(lambda tree: computed(tree, setting, folder), (old, new))  # noqa: B023
        found = differences(before, now)
        different += [f"{setting}: {each}" for each in found]
        equal += len(before.keys() & now.keys()) - sum(each.endswith(("differs", "now)")) for each in found)
        errors += sum(each.startswith("error ") for each in now.values())
        print(f"{setting}: {len(now)} results, {len(found)} differ; {time.perf_counter() - began:.0f} s", flush=True)
    if different:
        raise DifferenceError("\n".join([f"{len(different)} results differ:", *different]))
    return f"All {equal} results are equal; {errors} of them are errors that both versions raise."


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        "python -m benchmarks.same",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("commit", nargs="?", metavar="COMMIT", help="the commit to compare with")
    parser.add_argument("--tree", type=Path, metavar="DIR", help="a tree of it whose kernels are built")
    options = parser.parse_args(arguments)
    if (options.commit is None) == (options.tree is None):
        parser.error("give either COMMIT or --tree DIR")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        if options.tree is not None:
            print(compare(options.tree.resolve(), ROOT, folder))
            return
        with built(options.commit, folder) as package:
            print(compare(package.resolve(), ROOT, folder))


if __name__ == "__main__":
    sys.exit(run_command(main))
