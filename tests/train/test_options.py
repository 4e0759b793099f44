"""Options of a training as they are stored."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fcnlite.errors import DataError, TrainingError
from fcnlite.train.options import TrainOptions


@pytest.mark.parametrize(
    ("path", "name"),
    [("/data/set", "set"), ("data/set/", "set"), ("C:\\data\\set", "set"), ("set", "set"), ("~/data/set", "set")],
)
def test_paths_of_every_system_become_names(path: str, name: str) -> None:
    options = TrainOptions(root=path, init=path, model=path, data_option=(f"voc={path}", "val=0.5"))
    public = options.public()
    assert (public["root"], public["init"], public["model"]) == (name, name, name)
    assert public["data_option"][1] == "val=0.5"
    assert public["data_option"][0] in (f"voc={name}", "voc=data/set/")  # a relative one tells of no machine


def before_lists(**values: Any) -> dict[str, Any]:
    """The options as a checkpoint of a version without lists records them."""
    others = {name: value for name, value in TrainOptions().to_json().items() if name != "augment"}
    fields = {"flip": True, "turn": False, "scale": [1.0, 1.0], "crop": [0, 0], "brightness": 0.0}
    return {**others, **fields, **values}


def test_checkpoints_from_before_lists_get_the_list_of_their_fields() -> None:
    assert TrainOptions.from_json(before_lists()).augment == ("scale=1:1", "flip")
    read = TrainOptions.from_json(
        json.loads(json.dumps(before_lists(flip=False, turn=True, scale=[0.75, 1.5], crop=[288, 384], brightness=0.3)))
    )
    assert read.augment == ("scale=0.75:1.5", "turn", "crop=288:384", "brightness=0.3")
    assert TrainOptions.from_json(read.to_json()) == read
    for name, value in (("scale", [1]), ("flip", 1), ("crop", "no"), ("brightness", None)):
        with pytest.raises(TrainingError, match=f"the run's option {name} is .*; the checkpoint is damaged"):
            TrainOptions.from_json(before_lists(**{name: value}))


def test_a_checkpoint_with_a_transform_that_this_version_lacks_is_refused() -> None:
    with pytest.raises(TrainingError, match="the run's option augment: augmentation 'warp' is unknown"):
        TrainOptions.from_json({**TrainOptions().to_json(), "augment": ["warp=3"]})


def test_the_list_is_checked_and_brought_into_one_order() -> None:
    assert TrainOptions(augment=("brightness=0.50", "flip", "crop=8:9")).augment == (
        "crop=8:9",
        "flip",
        "brightness=0.5",
    )
    with pytest.raises(DataError, match="augmentation 'flop' is unknown; did you mean 'flip'"):
        TrainOptions(augment=("flop",))
    changed = TrainOptions(augment=("flip", "crop=8:9")).changed({"augment": ("crop=off", "noise=3")})
    assert changed.augment == ("flip", "noise=3")
