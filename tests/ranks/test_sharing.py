"""What the ranks share out: batches, threads, random numbers, messages; without MPI."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fcnlite.arrays import Array
from fcnlite.description.spec import LayerSpec
from fcnlite.errors import FcnliteError, TrainingError
from fcnlite.layers.base import ForwardRun
from fcnlite.layers.registry import create
from fcnlite.ranks import launcher
from fcnlite.ranks.communicator import Communicator
from fcnlite.ranks.shard import Shard
from fcnlite.ranks.team import Team


class One(Communicator):
    """Rank `rank` of `size`, which never talks."""

    def __init__(self, rank: int, size: int) -> None:
        self.rank, self.size = rank, size

    def split(self, group: int) -> Communicator:
        return self.sub

    sub = Communicator()


@pytest.mark.parametrize(
    ("ranks", "batch_size", "iter_size", "groups"),
    [(1, 1, 1, 1), (2, 5, 1, 1), (4, 1, 20, 4), (4, 8, 1, 1), (4, 3, 2, 2), (4, 4, 4, 4), (6, 2, 3, 3), (3, 3, 2, 1)],
)
def test_groups(ranks: int, batch_size: int, iter_size: int, groups: int) -> None:
    assert Team.of(One(0, ranks), batch_size, iter_size).groups == groups


@pytest.mark.parametrize(("ranks", "batch_size", "iter_size", "fewer"), [(2, 1, 1, 1), (5, 2, 2, 4), (3, 2, 2, 2)])
def test_too_many_ranks(ranks: int, batch_size: int, iter_size: int, fewer: int) -> None:
    with pytest.raises(TrainingError, match=rf"^{ranks} ranks cannot share .*; start {fewer} or fewer ranks"):
        Team.of(One(0, ranks), batch_size, iter_size)


@pytest.mark.parametrize(("size", "batch_size"), [(2, 5), (4, 4), (4, 7), (3, 8)])
def test_every_picture_has_one_rank(size: int, batch_size: int) -> None:
    found = [i for rank in range(size) for i in range(batch_size)[Team(One(rank, size)).pictures(batch_size)]]
    assert found == list(range(batch_size))


@pytest.mark.parametrize("shape", [(4, 3), (2, 1, 5, 7), (3, 2, 2)])
def test_random_numbers_are_those_of_the_whole_batch(shape: tuple[int, ...]) -> None:
    whole = np.random.default_rng(5).random((9, *shape[1:]), np.float32)
    for first in (0, 1, 2, 5):
        part = Shard(One(1, 2), first).random(np.random.default_rng(5), shape)
        np.testing.assert_array_equal(part, whole[first : first + shape[0]])


def test_label_frequencies_are_those_of_the_whole_batch() -> None:
    """Two ranks with the same half of a batch, whose loss weighs each label by 1 / its number in the batch."""

    class Twin(One):
        def sum(self, array: Array) -> Array:
            return 2 * array

    rng = np.random.default_rng(0)
    scores, label = rng.normal(size=(2, 3, 4, 5)), rng.choice([0, 1, 1, 1, 255], size=(2, 1, 4, 5))
    options = {"weight_by_label_freqs": True, "ignore_label": 255}
    layer = create(LayerSpec("loss", "SoftmaxWithLoss", ("x", "y"), ("loss",), options), "TRAIN")
    whole, half = (np.concatenate([each, each]) for each in (scores, label)), (scores, label)
    losses = [
        layer.forward(list(blobs), ForwardRun([], shard=shard))[0]
        for blobs, shard in ((whole, Shard()), (half, Shard(Twin(0, 2))))
    ]
    np.testing.assert_allclose(*losses, rtol=1e-12)


def test_cores_are_shared_out_unless_the_launcher_did() -> None:
    both = ("host", (0, 1, 2, 3))
    assert launcher.threads_of([both, both], 0) == 2
    assert launcher.threads_of([both, both, ("other", (0, 1, 2, 3))], 2) == 4
    assert launcher.threads_of([("host", (0, 1)), ("host", (2, 3))], 1) == 2
    assert launcher.threads_of([both] * 8, 7) == 1


def test_each_problem_is_told_once() -> None:
    assert launcher.in_words(["error: a."] * 3) == ["error: a."]
    assert launcher.in_words([None, "error: a.", "error: a."]) == ["rank 1 of 3: error: a."]
    assert launcher.in_words(["error: a.", "error: b."]) == ["rank 0 of 2: error: a.", "rank 1 of 2: error: b."]
    assert launcher.in_words([None, None]) == []


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), **environment}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, timeout=120)


def test_nothing_of_mpi_is_imported_without_a_launcher() -> None:
    code = "import sys, fcnlite.train.training; from fcnlite.ranks.launcher import world; print(world().size)"
    done = run(f"{code}; print([each for each in sys.modules if 'mpi4py' in each or each.endswith('ranks.mpi')])")
    assert done.stdout == "1\n[]\n", done.stderr


def test_a_launcher_without_mpi4py_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PMI_SIZE", "4")
    monkeypatch.setenv("PMI_RANK", "0")
    monkeypatch.setitem(sys.modules, "fcnlite.ranks.mpi", None)
    launcher.world.cache_clear()
    with pytest.raises(FcnliteError, match=r"^4 processes were started, but each would work alone, because mpi4py"):
        launcher.world()
