"""The commands under mpiexec, as a user starts them: sharing, failures, kills, two hosts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fcnlite.formats import storage
from fcnlite.train.run_folder import RunFolder
from tests.ranks.test_mpi import mpiexec

ROOT = Path(__file__).parents[2]
WEIGHTS = str(ROOT / "weights" / "shapes-fcn8s.h5")
TRAIN = ("-m", "fcnlite.train", "--data", "shapes", "--data-option", "count=8", "--data-option", "size=32")
TILES = ("--tile", "176", "--overlap", "16")
SHORT = ("--batch-size", "4", "--width", "0.05", "--base-lr", "0.01")
MPICH_HOSTS = (
    *("-launcher", "ssh", "-launcher-exec", "{script}"),
    *("-hosts", "10.99.7.1,10.99.7.2", "-ppn", "1"),
)
OPEN_MPI_HOSTS = (
    *("--prtemca", "plm_ssh_agent", "{script}"),
    *("--host", "10.99.7.1,10.99.7.2", "--map-by", "node"),
)
"""How each mpiexec is told to start ranks on two hosts by a script."""


def test_a_command_that_shares_nothing_is_refused() -> None:
    done = mpiexec(2, "-m", "fcnlite.summary", WEIGHTS)
    assert done.returncode == 1
    assert done.stderr.count("error:") == 1
    assert "error: 2 processes were started, and each would do the whole work" in done.stderr


@pytest.mark.slow
def test_a_wrong_option_is_reported_once(tmp_path: Path) -> None:
    done = mpiexec(2, *TRAIN, "--iterationz", "3", "--out", str(tmp_path / "run"))
    assert (done.returncode, done.stderr.count("error:")) == (2, 1), done.stderr
    done = mpiexec(2, *TRAIN, "--batch-size", "1", "--out", str(tmp_path / "run"))
    assert (done.returncode, done.stderr.count("error:")) == (1, 1), done.stderr
    assert "error: 2 ranks cannot share an iteration of 1 × 1 pictures" in done.stderr


@pytest.mark.slow
def test_predict_names_the_file_and_finishes_the_others(tmp_path: Path) -> None:
    for i in range(5):
        Image.fromarray(np.full((32, 40, 3), 50 * i, np.uint8)).save(tmp_path / f"{i}.png")
    (tmp_path / "1.png").write_bytes(b"not a picture")
    out = tmp_path / "out"
    done = mpiexec(2, "-m", "fcnlite.predict", WEIGHTS, *(str(tmp_path / f"{i}.png") for i in range(5)), "-o", str(out))
    assert done.returncode == 1
    assert done.stderr.count("error:") == 1
    assert f"error: {tmp_path / '1.png'}:" in done.stderr
    assert {each.name for each in out.glob("?.png")} == {"0.png", "2.png", "3.png", "4.png"}
    assert done.stdout.count(" -> ") == 4


@pytest.mark.slow
def test_predict_with_all_results_equals_one_process(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for i in range(5):
        noise = np.random.default_rng(i).integers(0, 256, (40 + 60 * i, 170, 3), dtype=np.uint8)
        Image.fromarray(noise).save(folder / f"{i}.png")
    (folder / "2.png").write_bytes(b"not a picture")
    (folder / "3.png").write_bytes(b"not a picture either")
    written, told = {}, {}
    for ranks in (1, 3):
        out = tmp_path / f"out{ranks}"
        words = ("--polygons", "coco", "--table", str(out / "t.csv"), "--json", str(out / "j.json"), "--min-area", "9")
        out.mkdir()
        done = mpiexec(ranks, "-m", "fcnlite.predict", WEIGHTS, str(folder), "-o", str(out), *words, *TILES)
        assert done.returncode == 1 and "3 of 5 pictures segmented: 2 problems" in done.stderr, done.stderr
        written[ranks] = {each.name: each.read_bytes() for each in out.iterdir()}
        found = json.loads(written[ranks].pop("j.json").replace(b"/out3/", b"/out1/"))
        assert 0 < found["pictures"][2].pop("difference")["scores"] < 1  # rounding differs
        told[ranks] = found
    assert told[1] == told[3]
    assert written[1] == written[3]
    # What is there is left out, by all ranks alike.
    (tmp_path / "out3" / "1.png").unlink()
    again = ("-o", str(tmp_path / "out3"), "--skip-done", "--min-area", "9", *TILES)
    done = mpiexec(3, "-m", "fcnlite.predict", WEIGHTS, str(folder), *again)
    assert done.stdout.count(" -> ") == 1 and "2 of 5 pictures have their results already" in done.stderr, done.stderr
    done = mpiexec(2, "-m", "fcnlite.predict", WEIGHTS, str(folder), *again, "--table", str(tmp_path / "again.csv"))
    assert "3 of 5 pictures segmented: 2 problems" in done.stderr, done.stderr
    assert (tmp_path / "again.csv").read_bytes() == written[1]["t.csv"]
    done = mpiexec(2, "-m", "fcnlite.predict", WEIGHTS, str(folder), "--skip-done", "--polygons", "coco")
    assert (done.returncode, done.stderr.count("error: --polygons coco needs")) == (1, 1)


@pytest.mark.slow
def test_figures_by_picture_equal_those_of_one_process(tmp_path: Path) -> None:
    options = ("--intervals", "--calibration", "--boundaries", *TILES, "--json")
    data = ("--data", "shapes", "--data-option", "count=5", "--data-option", "scene=true", "--data-option", "size=150")
    written, summed = {}, {}
    for ranks in (1, 3):
        folder = tmp_path / str(ranks)
        json_file = tmp_path / f"{ranks}.json"
        words = ("--by-picture", str(folder), *options, str(json_file))
        done = mpiexec(ranks, "-m", "fcnlite.evaluate", WEIGHTS, *data, *words)
        assert done.returncode == 0, done.stderr
        found = json.loads(json_file.read_text())
        sums = (found.pop("calibration_error"), found.pop("boundary_f1"), *found.pop("boundary_f1_by_class"))
        summed[ranks] = np.array(sums, float)  # their sums have another order
        written[ranks] = (found, (folder / "pictures.csv").read_text(), (folder / "worst.png").read_bytes())
    np.testing.assert_allclose(summed[1], summed[3], rtol=1e-4)
    assert summed[1].min() > 0.001
    assert written[1] == written[3]


@pytest.mark.slow
def test_evaluate_equals_one_process() -> None:
    command = ("-m", "fcnlite.evaluate", WEIGHTS, "--data", "shapes", "--data-option", "count=5", "--json", "-")
    one = subprocess.run([sys.executable, *command], capture_output=True, text=True, cwd=ROOT, timeout=300)
    assert mpiexec(3, *command).stdout == one.stdout != ""


@pytest.mark.slow
def test_a_failure_of_rank_0_alone_ends_all(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("mine")
    done = mpiexec(2, *TRAIN, *SHORT, "--out", str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.count("error:") == 1
    assert done.stderr.startswith(f"error: {tmp_path}: holds note.txt, but no run"), done.stderr
    assert "MPI_Abort" not in done.stderr


@pytest.mark.slow
def test_a_killed_rank_leaves_a_good_checkpoint(tmp_path: Path) -> None:
    out = tmp_path / "run"
    command = (*TRAIN, *SHORT, "--iterations", "100000", "--check-every", "5", "--out", str(out))
    launcher = str(Path(sys.executable).with_name("mpiexec"))
    started = [launcher, "-n", "2", sys.executable, *command]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(started, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as run:
        until(lambda: (out / "log.csv").exists() and len((out / "log.csv").read_text().splitlines()) > 12)
        ranks = [each for each in descendants(run.pid) if b"fcnlite.train" in cmdline(each)[:200] and is_rank(each)]
        os.kill(ranks[-1], signal.SIGKILL)
        told = " ".join("".join(run.communicate(timeout=120)).split())
    assert run.returncode != 0
    assert "EXIT CODE: 9" in told or "exited on signal 9" in told, told  # say MPICH's mpiexec and Open MPI's
    reached = storage.load(out / "last.h5").progress["iteration"]
    assert reached >= 5
    done = mpiexec(3, "-m", "fcnlite.train", "--resume", "--iterations", str(reached + 1), "--out", str(out))
    assert done.returncode == 0, done.stderr
    assert "the run continues in 3 processes instead of 2" in done.stderr
    assert RunFolder(out).read_log()["iteration"][-1] == reached + 1


def until(happened: object) -> None:
    for _ in range(1200):
        if happened():  # type: ignore[operator]
            return
        time.sleep(0.1)
    raise AssertionError("it did not happen in 120 seconds")


def descendants(pid: int) -> Iterator[int]:
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in map(int, (task / "children").read_text().split()):
            yield child
            yield from descendants(child)


def cmdline(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def is_rank(pid: int) -> bool:
    return cmdline(pid).startswith(sys.executable.encode())


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[tuple[str, ...]]:
    """Two network namespaces with a wire between them; yields how mpiexec starts a rank in each.

    Each host has a name and a folder of temporary files of its own, by which Open MPI tells hosts apart.
    """
    names, wires = (f"fcn-{os.getpid()}a", f"fcn-{os.getpid()}b"), ("fcnwirea", "fcnwireb")
    ends = [("ip", "netns", "add", each) for each in names]
    wire = ("ip", "link", "add", wires[0], "netns", names[0], "type", "veth", "peer", "name", wires[1])
    ends.append((*wire, "netns", names[1]))
    for i, (name, end) in enumerate(zip(names, wires, strict=True), start=1):
        ends.append(("ip", "-n", name, "addr", "add", f"10.99.7.{i}/24", "dev", end))
        ends += [("ip", "-n", name, "link", "set", each, "up") for each in (end, "lo")]
    try:
        for each in ends:
            try:
                subprocess.run(each, check=True, capture_output=True)
            except (OSError, subprocess.CalledProcessError) as error:
                pytest.skip(f"network namespaces cannot be made here: {' '.join(each)}: {error}")
        script = tmp_path / "start"
        cases = " ".join(f"10.99.7.{i}) host={name};;" for i, name in enumerate(names, start=1))
        script.write_text(
            f'#!/bin/sh\nwhile [ "${{1#-}}" != "$1" ]; do shift; done\ncase $1 in {cases} esac\nshift\n'
            f"export TMPDIR={tmp_path}/$host\nmkdir -p $TMPDIR\n"
            'exec ip netns exec $host unshare --uts /bin/sh -c "hostname $host; $*"\n'
        )
        script.chmod(0o755)
        launcher = str(Path(sys.executable).with_name("mpiexec"))
        version = subprocess.run((launcher, "--version"), capture_output=True, text=True, check=True).stdout
        options = MPICH_HOSTS if "HYDRA" in version else OPEN_MPI_HOSTS
        yield "ip", "netns", "exec", names[0], launcher, *(each.format(script=script) for each in options), "-n", "2"
    finally:
        for name in names:
            subprocess.run(("ip", "netns", "del", name), capture_output=True)


@pytest.mark.slow
def test_two_ranks_on_two_hosts(hosts: tuple[str, ...]) -> None:
    """All traffic between the ranks goes through the wire, because the transport is limited to TCP."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "UCX_TLS": "tcp,self"}
    checks = ("check_batchnorm_dropout_void_and_shared_weights", "long_check_of_a_training_and_its_continuation")
    command = [*hosts, sys.executable, "-m", "tests.ranks.mpi_checks", *checks]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT, timeout=900)
    assert done.returncode == 0, done.stderr
    assert '": "Traceback' not in done.stdout, done.stdout
    assert all(each in done.stdout for each in checks)
