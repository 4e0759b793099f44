"""Recipes: those of the reference against its solver files, overriding, what is stored of them."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from fcnlite import caffe, data, models, storage
from fcnlite.description.fillers import bilinear_kernel
from fcnlite.description.spec import NetSpec
from fcnlite.errors import TrainingError
from fcnlite.graph.sizing import image_inputs
from fcnlite.layers import create
from fcnlite.layers.loss import Loss
from fcnlite.net import Net
from fcnlite.train import recipes
from fcnlite.train.__main__ import main
from fcnlite.train.options import TrainOptions
from tests.cli.conftest import Command

ZOO = sorted(set(recipes.RECIPES) & set(models.names()))
"""Recipes called as the net of the FCN reference whose solver they are."""
SMALL = (
    "--data", "shapes", "--data-option", "size=32", "--data-option", "count=4", "--width", 0.02, "--batch-size", 2,
    "--crop", 32, 32,
)  # fmt: skip


def only(recipe: str) -> TrainOptions:
    (options,) = recipes.stages(recipe, {})
    return options


def normalizations(spec: NetSpec) -> list[str]:
    layers = [create(each, "TRAIN") for each in spec.for_phase("TRAIN")]
    return [layer.normalization for layer in layers if isinstance(layer, Loss)]


def test_the_reference_has_a_solver_for_each_of_these_recipes(shared: Path) -> None:
    assert sorted(each.name for each in (shared / "reference" / "zoo").iterdir()) == ZOO


@pytest.mark.parametrize("name", ZOO)
def test_recipes_are_the_references_solvers(name: str, shared: Path) -> None:
    folder, options = shared / "reference" / "zoo" / name, only(name)
    theirs = caffe.read_solver(folder / "solver.prototxt")
    assert options.model == name
    assert theirs.pop("type", "SGD") == options.solver
    for field in ("base_lr", "lr_policy", "momentum", "weight_decay", "iter_size"):
        assert getattr(options, field) == theirs[field], field
    assert options.iterations == theirs["max_iter"]
    assert options.check_every == theirs.get("snapshot", 4000)
    # Their data layers give one picture at a time, as it is.
    assert (options.batch_size, options.width, options.augment) == (1, 1.0, ())
    reference = caffe.read_net(folder / theirs["train_net"])
    ours = models.describe(name, normalization=options.normalization)
    assert normalizations(ours) == normalizations(reference)


def test_batch_learning_is_the_papers() -> None:
    rates = {"voc-fcn-alexnet-batch": 1e-3, "voc-fcn32s-batch": 1e-4, "voc-fcn-googlenet-batch": 5e-5}
    for name, rate in rates.items():
        options = only(name)
        assert (options.base_lr, options.momentum) == (rate, 0.9)
        assert options.batch_size * options.iter_size == 20
        assert options.normalization == "VALID"


@pytest.mark.parametrize("name", sorted({each.model for name in recipes.RECIPES for each in recipes.stages(name, {})}))
def test_scores_start_at_zero_and_upsampling_is_bilinear_and_stays(name: str) -> None:
    net: Net = models.build(name, width=1 / 64, phase="TRAIN")
    for layer in net.layers:
        if layer.type == "Deconvolution":
            (weight,) = net.params[layer.spec.name]
            assert weight.lr_mult == 0
            np.testing.assert_array_equal(weight.array[0, 0], bilinear_kernel(weight.shape[-1]))
        elif layer.type == "Convolution" and layer.spec.name.startswith("score"):
            assert not any(each.array.any() for each in net.params[layer.spec.name])


@pytest.mark.parametrize("nets", ["voc", "pascalcontext", "siftflow"])
def test_stages_are_the_three_nets_with_their_own_rates(nets: str) -> None:
    stages = recipes.stages(f"{nets}-fcn8s-staged", {"iterations": 7})
    assert [each.model for each in stages] == [f"{nets}-fcn{stride}s" for stride in (32, 16, 8)]
    assert [each.base_lr for each in stages] == [only(each.model).base_lr for each in stages]
    assert {each.iterations for each in stages} == {7}


@pytest.mark.parametrize("name", sorted(recipes.RECIPES))
def test_every_recipe_names_data_that_its_net_is_for(name: str, command: Command, tmp_path: Path) -> None:
    ended = command(main, "--recipe", name, "--out", tmp_path / "run")
    assert ended.status == 1
    for options in recipes.stages(name, {}):
        assert f"data set {options.data!r} needs its root folder (--root DIR)" in ended.err
        splits = data._DATASETS[options.data].splits
        assert {options.train_split, options.val_split} <= {None, *splits}
        inputs = list(image_inputs([create(each, "TRAIN") for each in models.describe(options.model)]))
        given = [each.removeprefix("inputs=") for each in options.data_option]
        assert inputs == ["data"] if len(given) == 0 or "," not in given[0] else inputs == given[0].split(",")


def test_with_other_data_a_recipe_omits_its_data_options() -> None:
    paper, mine = only("voc-fcn8s"), recipes.stages("voc-fcn8s", {"data": "folder", "root": "photos"})[0]
    assert (paper.data, paper.train_split, paper.val_split) == ("sbd", None, "seg11valid")
    assert (mine.data, mine.root, mine.train_split, mine.val_split) == ("folder", "photos", None, None)
    assert mine.base_lr == paper.base_lr
    assert recipes.stages("voc-fcn8s", {"data": "sbd"})[0].val_split == "seg11valid"
    assert recipes.stages("nyud-fcn32s-hha", {"data": "shapes"})[0].data_option == ()


def test_every_option_can_be_given_on_the_command_line(command: Command) -> None:
    help_text = command(main, "--help").out
    for each in fields(TrainOptions):
        flag = {"imports": "import"}.get(each.name, each.name).replace("_", "-")
        assert f"--{flag} " in help_text


def test_print_recipe_shows_the_run_without_starting_it(command: Command, tmp_path: Path) -> None:
    out = tmp_path / "run"
    ended = command(main, "--recipe", "voc-fcn8s", "--base-lr", 3e-14, "--crop", 64, 80, "--print-recipe", "--out", out)
    assert ended.status == 0
    lines = {line.split()[0]: line.split()[1:] for line in ended.out.splitlines() if line.startswith("  ")}
    assert lines["base_lr"] == ["3e-14", "command", "line"]
    assert lines["augment"] == ["crop=64:80", "command", "line"]
    assert lines["momentum"] == ["0.99", "recipe"]
    assert lines["batch_size"] == ["1", "recipe"]
    assert lines["power"] == ["0.9"]
    assert lines.keys() == {each.name for each in fields(TrainOptions)} - {"recipe"}
    assert not out.exists()
    assert command(main, "--print-recipe").out.startswith("no recipe: the defaults")
    assert command(main, "--recipe", "voc-fcn8s-staged", "--print-recipe").out.count("base_lr") == 3


def test_an_unknown_recipe_is_named_with_the_near_ones(command: Command, tmp_path: Path) -> None:
    ended = command(main, "--recipe", "voc-fcn8", "--out", tmp_path / "run")
    assert ended.status == 1
    assert "no recipe is called 'voc-fcn8'; did you mean 'voc-fcn8s'" in ended.err
    with pytest.raises(TrainingError, match="lite"):
        recipes.named("something else")


def test_a_recipe_trains_and_its_options_are_stored(command: Command, tmp_path: Path) -> None:
    run = ("--recipe", "lite", *SMALL, "--loss-sampling", 0.5, "--check-every", 1)
    assert command(main, *run, "--iterations", 3, "--out", tmp_path / "whole").status == 0
    content = storage.load(tmp_path / "whole" / "last.h5")
    stored, recipe = content.progress["options"], only("lite").to_json()
    assert content.progress["type"] == "AdamW"
    of_data, of_time = {"data", "data_option", "batch_size", "augment"}, {"check_every", "iterations", "threads"}
    changed = {"width", "loss_sampling", *of_data, *of_time}
    assert {name for name in stored if stored[name] != recipe[name]} == changed
    assert stored["recipe"] == "lite"
    assert storage.load(tmp_path / "whole" / "best.h5").info.record["options"] == stored
    assert [each.type for each in content.spec if each.name == "loss"] == ["InfogainLoss"]


def test_a_run_without_out_is_an_error(command: Command) -> None:
    ended = command(main, "--recipe", "lite")
    assert ended.status == 2
    assert "--out DIR is missing" in ended.err
