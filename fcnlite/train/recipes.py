"""Recipes: named sets of training options.

A recipe lists the options that differ from the defaults of `TrainOptions`; the command line overrides any of them. With
a data set other than its own, a recipe's data options do not apply. A recipe with the name of a net of the FCN
reference has the options of that net's solver file, on the data that the paper reports: momentum at a fixed learning
rate, with the loss summed over a picture (voc-fcn-alexnet averages over 20 pictures). As `models.build` makes them, all
nets start with scores of zero and upsample with fixed bilinear weights. The reference's nets need a trunk trained on
ImageNet, which `--init` provides, to learn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from fcnlite.data.augmentation import edited
from fcnlite.errors import TrainingError, nearest
from fcnlite.train.options import DATA_FIELDS, TrainOptions

Values = Mapping[str, Any]
"""Some of the fields of `TrainOptions`."""


@dataclass(frozen=True)
class Recipe:
    """A recipe and a description of it in words."""

    about: str
    stages: tuple[Values, ...]
    """The options of each stage, usually one. A further stage starts from the weights of the stage before."""


_WHOLE_PICTURES: Values = {"augment": (), "width": 1.0, "batch_size": 1, "solver": "SGD", "lr_policy": "fixed"}
"""Single pictures without augmentation, which all solvers of the reference and the CVPR paper have in common."""
_DECAY: Values = {"weight_decay": 0.0005}
_DATA: dict[str, Values] = {
    "voc": {"data": "sbd", "val_split": "seg11valid"},
    "nyud": {"data": "nyud"},
    "siftflow": {"data": "siftflow"},
    "pascalcontext": {"data": "pascal-context"},
}
"""The data options by the first part of a net's name."""


def _data(model: str) -> Values:
    return _DATA[model.partition("-")[0]]


def _heavy(
    model: str, base_lr: float, iterations: int = 300_000, check_every: int = 4000, inputs: str | None = None
) -> Values:
    """Options of heavy learning (PAMI 2016, section 4.3): momentum 0.99 on single pictures and their summed loss.

    `inputs` names the pictures of NYUDv2, unless they are colour alone.
    """
    return {
        **_data(model),
        **({"data_option": (f"inputs={inputs}",)} if inputs else {}),
        **_WHOLE_PICTURES,
        **_DECAY,
        "model": model,
        "base_lr": base_lr,
        "momentum": 0.99,
        "normalization": "BATCH_SIZE",
        "iterations": iterations,
        "check_every": check_every,
    }


def _batch(model: str, base_lr: float) -> Values:
    """Options of batch learning (CVPR 2015, section 4.3): momentum 0.9, gradients of 20 pictures, their mean loss."""
    return {
        **_data(model),
        **_WHOLE_PICTURES,
        **_DECAY,
        "model": model,
        "base_lr": base_lr,
        "momentum": 0.9,
        "normalization": "VALID",
        "iter_size": 20,
        "iterations": 100_000,
        "check_every": 4000,
    }


_REFERENCE: dict[str, Values] = {
    "voc-fcn-alexnet": _batch("voc-fcn-alexnet", 1e-4),
    "voc-fcn32s": _heavy("voc-fcn32s", 1e-10, 100_000),
    "voc-fcn16s": _heavy("voc-fcn16s", 1e-12, 100_000),
    "voc-fcn8s": _heavy("voc-fcn8s", 1e-14, 100_000),
    "voc-fcn8s-atonce": _heavy("voc-fcn8s-atonce", 1e-10),
    "pascalcontext-fcn32s": _heavy("pascalcontext-fcn32s", 1e-10),
    "pascalcontext-fcn16s": _heavy("pascalcontext-fcn16s", 1e-12),
    "pascalcontext-fcn8s": _heavy("pascalcontext-fcn8s", 1e-14),
    "nyud-fcn32s-color": _heavy("nyud-fcn32s-color", 1e-10, check_every=2000),
    "nyud-fcn32s-hha": _heavy("nyud-fcn32s-hha", 1e-10, check_every=2000, inputs="hha"),
    "nyud-fcn32s-color-d": _heavy("nyud-fcn32s-color-d", 1e-10, check_every=2000, inputs="color,depth"),
    "nyud-fcn32s-color-hha": _heavy("nyud-fcn32s-color-hha", 1e-12, check_every=2000, inputs="color,hha"),
    "siftflow-fcn32s": _heavy("siftflow-fcn32s", 1e-10),
    "siftflow-fcn16s": _heavy("siftflow-fcn16s", 1e-12),
    "siftflow-fcn8s": _heavy("siftflow-fcn8s", 1e-12),
}
"""The options of the reference's solver files, by net."""

_LITE: Values = {
    "data": "camvid",
    "model": "lite-fcn4s",
    "width": 0.25,
    "solver": "AdamW",
    "base_lr": 2e-3,
    "lr_policy": "poly",
    "power": 0.9,
    "weight_decay": 0.02,
    "batch_size": 4,
    "iterations": 12_000,
    "check_every": 500,
    "augment": ("scale=0.75:1.5", "crop=288:384", "flip", "brightness=0.3"),
    "class_balance": 1.1,
}

_CAMVID: Values = {
    **_LITE,
    "model": "lite-dilated",
    "weight_decay": 0.05,
    "decay_norms": False,
    "warmup": 200,
    "ema": 0.998,
    "augment": (
        "scale=0.75:1.5", "crop=288:384", "flip",
        "brightness=0.4", "contrast=0.3", "gamma=0.5", "temperature=0.2", "saturation=0.6",
    ),
    "iterations": 16_000,
    "check_every": 1000,
}  # fmt: skip
"""Options for drives that the net has not seen (docs/training.md)."""

_MEMBRANES: Values = {
    **{name: value for name, value in _LITE.items() if name != "class_balance"},  # pixel accuracy is the metric
    "data": "isbi",
    "model": "lite-fcn2s",
    "width": 0.125,
    "augment": edited(_LITE["augment"], ["scale=0.8:1.25", "crop=256:256", "turn", "elastic=8:64"]),
    "iterations": 2800,
    "check_every": 2800,
}


def _staged(data: str) -> Recipe:
    """The recipe that trains the three nets of a data set from coarse to fine (CVPR 2015, section 4.2)."""
    stages = tuple(_REFERENCE[f"{data}-fcn{stride}s"] for stride in (32, 16, 8))
    return Recipe(f"{data}-fcn32s, then {data}-fcn16s from its weights, then {data}-fcn8s from those", stages)


RECIPES: dict[str, Recipe] = {
    "lite": Recipe(
        "training from scratch on a CPU: batch normalisation, AdamW, augmentation, balanced classes", (_LITE,)
    ),
    "camvid": Recipe("a dilated net from scratch, with changes of light and averaged weights", (_CAMVID,)),
    "camvid-trainval": Recipe(
        "the same on the training and the validation pictures",
        ({**_CAMVID, "train_split": "trainval", "validation": False},),
    ),
    "isbi-lite": Recipe("training from scratch on slices of electron microscopy", (_MEMBRANES,)),
    **{name: Recipe(f"the solver of {name} in the FCN reference", (values,)) for name, values in _REFERENCE.items()},
    "voc-fcn8s-staged": _staged("voc"),
    "pascalcontext-fcn8s-staged": _staged("pascalcontext"),
    "siftflow-fcn8s-staged": _staged("siftflow"),
    "voc-fcn-alexnet-batch": Recipe("FCN-AlexNet as trained in the CVPR paper", (_batch("voc-fcn-alexnet", 1e-3),)),
    "voc-fcn32s-batch": Recipe("FCN-VGG16 as trained in the CVPR paper", (_batch("voc-fcn32s", 1e-4),)),
    "voc-fcn-googlenet-batch": Recipe(
        "FCN-GoogLeNet as trained in the CVPR paper", (_batch("voc-fcn-googlenet", 5e-5),)
    ),
}


_DEFAULTS = Recipe("the defaults", ({},))


def stages(name: str | None, given: Values) -> list[TrainOptions]:
    """The options of each stage of a recipe, or the defaults without one, overridden by those `given`.

    A given `augment` edits the list of the stage, see `augmentation.edited`. Raises `TrainingError` or `DataError` for
    an unknown name and for values out of range.
    """
    recipe = _DEFAULTS if name is None else named(name)
    return [
        TrainOptions(**{**_applicable(values, given), **given, "augment": _augment(values, given), "recipe": name})
        for values in recipe.stages
    ]


def _augment(values: Values, given: Values) -> tuple[str, ...]:
    """The list of augmentation of a stage after the edits that are given."""
    return edited(values.get("augment", TrainOptions.augment), given.get("augment", ()))


def _applicable(values: Values, given: Values) -> Values:
    """The options of a stage that apply beside the options `given`.

    With other data, the stage's data options do not apply; with --epochs, neither its length nor its checks do.
    """
    if "epochs" in given:
        values = {name: value for name, value in values.items() if name not in ("iterations", "check_every")}
    same = given.get("data", values.get("data")) == values.get("data")
    return {name: value for name, value in values.items() if same or name not in DATA_FIELDS}


def named(name: str) -> Recipe:
    """The recipe of this name. Raises `TrainingError` for an unknown name."""
    if name not in RECIPES:
        raise TrainingError(f"no recipe is called {name!r}; {nearest(name, RECIPES, shown=len(RECIPES))}")
    return RECIPES[name]


def shown(name: str | None, given: Values, of_init: Values | None = None) -> str:
    """A recipe as text: for each stage the value of every option, and where the value comes from.

    `of_init` has the options that the file of --init records; those `given` override them.
    """
    recorded = of_init or {}
    recipe = _DEFAULTS if name is None else named(name)
    lines = [f"{name or 'no recipe'}: {recipe.about}"]
    for number, (values, options) in enumerate(
        zip(recipe.stages, stages(name, {**recorded, **given}), strict=True), start=1
    ):
        lines.append(f"\nstage {number} of {len(recipe.stages)}" if len(recipe.stages) > 1 else "")
        applicable = _applicable(values, given)
        for each in fields(options):
            if each.name == "augment":
                lines += _augment_lines(options.augment, values, given)
                continue
            value = _text(getattr(options, each.name))
            origin = "command line" if each.name in given else "--init" if each.name in recorded else ""
            origin = origin or ("recipe" if each.name in applicable else "")
            if each.name == "iterations" and options.epochs is not None:
                value, origin = "set by --epochs", ""
            if each.name == "init" and number > 1:
                value, origin = f"best.h5 of stage {number - 1}", ""
            if each.name != "recipe":
                lines.append(_line(each.name, value, origin))
    return "\n".join(lines)


def _augment_lines(entries: tuple[str, ...], values: Values, given: Values) -> list[str]:
    """A line for each entry of the list of augmentation."""
    edits = {each.partition("=")[0] for each in given.get("augment", ())}

    def origin(entry: str) -> str:
        if entry.partition("=")[0] in edits:
            return "command line"
        return "recipe" if "augment" in values else ""

    if not entries:
        return [_line("augment", "–", "command line" if edits else "recipe")]
    return [_line("augment", entry, origin(entry)) for entry in entries]


def _line(name: str, value: str, origin: str) -> str:
    return f"  {name:20} {value:24} {origin}".rstrip()


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return " ".join(map(str, value)) or "–"
    return f"{value:g}" if isinstance(value, float) else "–" if value is None else str(value)
