"""Checks that several processes make together: `mpiexec -n N python -m tests.ranks.mpi_checks [NAME ...]`.

Prints what went wrong in each as JSON. Each function named check_… runs on all ranks, and the long check by its name.
They compare with one process, which every rank also plays on its own.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import traceback
from collections.abc import Callable
from contextlib import nullcontext, redirect_stderr, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from mpi4py import MPI

import fcnlite
from fcnlite.data.sample import Sample
from fcnlite.data.shapes import Shapes
from fcnlite.engine import gradient_sum
from fcnlite.errors import DataError, SpecError, TrainingError
from fcnlite.formats.caffe import parse_net
from fcnlite.net import Net
from fcnlite.ranks.communicator import ALONE, Communicator
from fcnlite.ranks.launcher import world
from fcnlite.ranks.team import Team
from fcnlite.segmentation.evaluation import confusion
from fcnlite.segmentation.objects import object_scores
from fcnlite.solver import Solver
from fcnlite.train import training
from fcnlite.train.options import TrainOptions
from fcnlite.train.plan import TrainingPlan
from fcnlite.train.run_folder import RunFolder

NET = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 9 dim: 9 } } }
layer { name: "label" type: "Input" top: "label" input_param { shape { dim: 2 dim: 9 dim: 9 } } }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1" param { name: "shared" } param { lr_mult: 2 }
        convolution_param { num_output: 3 kernel_size: 3 pad: 1 weight_filler { type: "xavier" } } }
layer { name: "bn1" type: "BatchNorm" bottom: "conv1" top: "conv1" batch_norm_param { moving_average_fraction: 0.9 } }
layer { name: "scale1" type: "Scale" bottom: "conv1" top: "conv1" scale_param { bias_term: true } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "drop" type: "Dropout" bottom: "conv1" top: "conv1" }
layer { name: "conv2" type: "Convolution" bottom: "conv1" top: "conv2" param { name: "shared" }
        convolution_param { num_output: 3 kernel_size: 3 pad: 1 weight_filler { type: "xavier" } } }
layer { name: "bn2" type: "BatchNorm" bottom: "conv2" top: "bn2" }
layer { name: "score" type: "Convolution" bottom: "bn2" top: "score"
        convolution_param { num_output: 4 kernel_size: 1 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "%s" bottom: "score" bottom: "label" top: "loss" %s loss_param { ignore_label: 255 } }
layer { name: "accuracy" type: "Accuracy" bottom: "score" bottom: "label" top: "accuracy"
        accuracy_param { ignore_label: 255 } }
"""
SOFTMAX = NET % ("SoftmaxWithLoss", "")
INFOGAIN = NET % ("InfogainLoss", "")


def make(text: str = SOFTMAX, path: str = "fast", **options: Any) -> Solver:
    spec = parse_net(text)
    weighted = {"matrix": np.diag([1.0, 2.0, 3.0, 4.0]).ravel().tolist()}
    layers = [replace(each, options={**each.options, **weighted} if "Infogain" in each.type else each.options)
              for each in spec.layers]  # fmt: skip
    net = Net(replace(spec, layers=tuple(layers)), phase="TRAIN", path=path, seed=3)
    return fcnlite.SGD(net, **{"base_lr": 0.1, "momentum": 0.9, "weight_decay": 0.001, **options})


def batches(count: int, size: int, seed: int = 0, side: int = 9) -> list[dict[str, np.ndarray]]:
    """Batches whose last picture is void all over, so that one rank has no pixel that counts."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        label = rng.integers(0, 4, (size, side, side))
        label[rng.random(label.shape) < 0.2] = 255
        if size > 1:
            label[-1] = 255
        found.append({"data": rng.normal(size=(size, 3, side, side)).astype(np.float32), "label": label})
    return found


def assert_same_training(
    one: Solver, many: Solver, team: Team, size: int, iterations: int = 4, atol: float = 2e-6
) -> None:
    """Train one solver with whole batches, the other with this rank's parts; losses and parameters must be the same."""
    many.join(team)
    count = one.options.iter_size
    for iteration in range(iterations):
        sides = [9 + 2 * (iteration * count + i) if size == 1 else 9 for i in range(count)]
        passes = [batches(1, size, seed=100 * iteration + i, side=sides[i])[0] for i in range(count)]
        mine = [{n: a[team.pictures(size)] for n, a in passes[i].items()} for i in team.passes(count)]
        expected, found = one.step(passes), many.step(mine)
        np.testing.assert_allclose(found, expected, rtol=2e-6, err_msg=f"loss of iteration {iteration}")
    assert_same_net(many.net, one.net, atol)
    rows = team.ranks.stack(flat(many.net))
    assert (rows == rows[0]).all(), "the ranks have different parameters"


def assert_same_net(found: Net, expected: Net, atol: float) -> None:
    for name, group in expected.params.items():
        for i, each in enumerate(group):
            np.testing.assert_allclose(found.params[name][i].array, each.array, 2e-5, atol, err_msg=f"{name}[{i}]")


def flat(net: Net) -> np.ndarray:
    return np.concatenate([each.array.ravel() for group in net.params.values() for each in group])


def check_sums_in_the_order_of_ranks() -> None:
    ranks = world()
    for size in (0, 1, 5, 1000, 700_001):
        arrays = [np.random.default_rng([size, i]).normal(size=size).astype(np.float32) for i in range(ranks.size)]
        expected = arrays[0].copy()
        for each in arrays[1:]:
            expected += each
        np.testing.assert_array_equal(ranks.sum(arrays[ranks.rank]), expected)
        ranks.sum_in_place(arrays[ranks.rank])
        np.testing.assert_array_equal(arrays[ranks.rank], expected)


def check_gathers_values_of_different_sizes() -> None:
    ranks = world()
    assert ranks.gather("x" * 1000 * ranks.rank) == ["x" * 1000 * i for i in range(ranks.size)]


def check_a_failure_of_rank_0_is_raised_on_all() -> None:
    def fail() -> None:
        raise DataError("a picture is missing.")

    try:
        world().from_first(fail)
    except DataError as error:
        assert str(error) == "a picture is missing."
    else:
        raise AssertionError("no error")


def check_batchnorm_dropout_void_and_shared_weights() -> None:
    for path in ("fast", "plain"):
        assert_same_training(make(path=path), make(path=path), Team(world()), size=2 * world().size + 1)


def check_a_frozen_bias_and_clipping() -> None:
    text = SOFTMAX.replace("lr_mult: 2", "lr_mult: 0")
    for force in ("", "force_backward: true\n"):
        made = [make(force + text, clip_gradients=0.05) for _ in range(2)]
        assert_same_training(*made, Team(world()), size=world().size)


def check_averages_of_the_weights() -> None:
    for groups in {1, world().size}:
        size = world().size if groups == 1 else 1
        one, many = (make(ema=0.8, warmup=3, iter_size=groups) for _ in range(2))
        assert_same_training(one, many, Team(world(), groups), size)
        assert_same_net(many.averaged_net(), one.averaged_net(), 2e-6)
        rows = world().stack(flat(many.averaged_net()))
        assert (rows == rows[0]).all(), "the ranks have different averages"


def check_class_weights_and_normalizations() -> None:
    for text in (INFOGAIN, *(SOFTMAX.replace("255 } }", f"255 normalization: {each} }} }}", 1)
                             for each in ("FULL", "BATCH_SIZE"))):  # fmt: skip
        for path in ("fast", "plain"):
            assert_same_training(make(text, path), make(text, path), Team(world()), world().size + 1, 2)


def check_passes_of_one_picture_and_of_changing_size() -> None:
    count = world().size + 1
    made = [make(iter_size=count) for _ in range(2)]
    team = Team.of(world(), 1, count)
    assert team.groups == world().size
    assert_same_training(*made, team, size=1)


def check_groups_of_several_ranks() -> None:
    if world().size == 4:
        team = Team(world(), 2)
        assert (team.group.size, team.number) == (2, world().rank // 2)
        assert_same_training(make(iter_size=3), make(iter_size=3), team, size=3)


def check_repeats_to_the_byte() -> None:
    runs = []
    for _ in range(2):
        solver = make()
        solver.join(Team(world()))
        for each in batches(3, world().size * 2):
            solver.step({n: a[solver.teamwork.team.pictures(world().size * 2)] for n, a in each.items()})
        runs.append(flat(solver.net))
    np.testing.assert_array_equal(*runs)


def check_many_buckets() -> None:
    before, gradient_sum.BUCKET = gradient_sum.BUCKET, 50
    try:
        assert_same_training(make(), make(), Team(world()), size=world().size)
    finally:
        gradient_sum.BUCKET = before


def check_starts_from_rank_0() -> None:
    one, many = make(), make()
    if world().rank:
        for group in many.net.params.values():
            for each in group:
                each.data[...] = 7
    assert_same_training(one, many, Team(world()), size=world().size)


def check_nan_on_one_rank_ends_all() -> None:
    for groups in {1, world().size}:
        solver = make(iter_size=groups)
        solver.join(Team(world(), groups))
        (batch,) = batches(1, 1)
        if world().rank == 1:
            batch["data"][0, 0, 0, 0] = np.nan
        before = flat(solver.net)
        try:
            solver.step([batch])
        except TrainingError as error:
            assert f"it began in input 'data' on rank 1 of {world().size}." in str(error), error
        else:
            raise AssertionError("no error")
        if groups > 1:  # with shared statistics, BatchNorm's running sums have changed
            np.testing.assert_array_equal(flat(solver.net), before)


def check_a_rank_without_pictures() -> None:
    solver = make()
    solver.join(Team(world()))
    (batch,) = batches(1, 1)
    count = 0 if world().rank == 1 else 1
    try:
        solver.step({name: array[:count] for name, array in batch.items()})
    except TrainingError as error:
        assert "the ranks have 1, 0" in str(error), error
    else:
        raise AssertionError("no error")


def check_refuses_layers_that_mix_pictures() -> None:
    mixes = 'layer { name: "mix" type: "Reduction" bottom: "score" top: "mix" }\n'
    for extra, words in ((mixes, "mixes the pictures"), (mixes.replace("top:", "loss_weight: 1 top:"), "is a loss")):
        solver = make(SOFTMAX + extra)
        solver.join(Team(world()))
        try:
            solver.step(batches(1, 1)[0])
        except SpecError as error:
            assert "'mix' (Reduction)" in str(error) and words in str(error), error
        else:
            raise AssertionError("no error")


def check_a_script_of_few_lines() -> None:
    one, many = make(), fcnlite.distributed.Solver(make(), MPI.COMM_WORLD)
    whole = batches(1, world().size)[0]
    expected = one.step(whole)
    found = many.step({name: array[world().rank : world().rank + 1] for name, array in whole.items()})
    np.testing.assert_allclose(found, expected, rtol=2e-6)


OPTIONS = TrainOptions(
    data="shapes",
    data_option=("count=7", "size=32"),
    width=0.05,
    iterations=4,
    check_every=2,
    batch_size=3,
    base_lr=0.01,
    augment=("scale=0.9:1.2", "crop=24:24", "flip"),
    loss_sampling=0.7,
    ema=0.9,
    threads=1,
)


def trained(folder: Path, ranks: Communicator, options: TrainOptions | None = OPTIONS) -> RunFolder:
    """A run in `folder`; without options, the run there is continued for two more iterations."""
    run = RunFolder(folder)
    training._print_results = lambda run: None  # its drawings take longer than the training
    claim = run.claimed() if ranks.first else nullcontext()
    with claim, Path(os.devnull).open("w") as null, redirect_stdout(null), redirect_stderr(null):
        if options is None:
            plan = ranks.from_first(lambda: TrainingPlan.resume(run, {"iterations": 6}, ranks.size))
        else:
            plan = ranks.from_first(lambda: TrainingPlan.begin(run, [options]))
        training.train(plan, ranks=ranks)
    return run


def long_check_of_a_training_and_its_continuation() -> None:
    """N processes train and one continues; one trains and N continue; both equal one that does all."""
    ranks = world()
    (parent,) = {*ranks.gather(tempfile.mkdtemp() if ranks.first else "")} - {""}
    folder = Path(parent)
    together, alone = folder / "together", folder / "alone"
    trained(together, ranks)
    if ranks.first:
        trained(alone, ALONE)
        shutil.copytree(alone, folder / "continued")
        trained(together, ALONE, None)
        trained(alone, ALONE, None)
    ranks.gather(None)
    trained(folder / "continued", ranks, None)
    if ranks.first:
        expected = RunFolder(alone).read_log()
        for other in (together, folder / "continued"):
            for name, column in RunFolder(other).read_log().items():
                np.testing.assert_allclose(column, expected[name], rtol=2e-5, err_msg=f"{name} in {other.name}")
            written = {each.name for each in other.iterdir()}
            assert written == {each.name for each in alone.iterdir()}, written
        shutil.rmtree(folder)


def check_scores_of_objects() -> None:
    class Bordered(Shapes):
        border = 0

    segmenter = fcnlite.Segmenter(fcnlite.models.build("lite-fcn8s", classes=6, width=0.05))
    dataset = Bordered("val", count=5, size=32)
    assert object_scores(segmenter, dataset, ranks=world()) == object_scores(segmenter, dataset)


def check_a_file_that_one_rank_cannot_read() -> None:
    class Broken(Shapes):
        def __getitem__(self, index: int) -> Sample:
            if index == 1:
                raise DataError("broken.png: is not a picture.")
            return super().__getitem__(index)

    segmenter = fcnlite.Segmenter(fcnlite.models.build("lite-fcn8s", classes=6, width=0.05))
    whole = confusion(segmenter, Shapes("val", count=5, size=32))
    np.testing.assert_array_equal(confusion(segmenter, Shapes("val", count=5, size=32), ranks=world()), whole)
    views = fcnlite.Segmenter(segmenter.net, flip=True, scales=(0.75, 1))
    averaged = confusion(views, Shapes("val", count=5, size=32))
    np.testing.assert_array_equal(confusion(views, Shapes("val", count=5, size=32), ranks=world()), averaged)
    seen: list[str] = []
    try:
        confusion(segmenter, Broken("val", count=5, size=32), each=lambda name, _: seen.append(name), ranks=world())
    except DataError as error:
        assert str(error) == "broken.png: is not a picture."
    else:
        raise AssertionError("no error")
    assert len(seen) == (0 if world().rank == 1 else len(range(world().rank, 5, world().size)))


def run(check: Callable[[], None]) -> str:
    """Empty, or what went wrong on the first rank where something did."""
    try:
        check()
        problem = ""
    except Exception:
        problem = traceback.format_exc()
    return next((each for each in world().gather(problem) if each), "")


if __name__ == "__main__":
    chosen = sys.argv[1:] or [name for name in globals() if name.startswith("check_")]
    found = {name: run(globals()[name]) for name in chosen}
    if world().first:
        print(json.dumps(found))
