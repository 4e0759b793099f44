"""The inputs and scores of a net, and whether they fit a data set."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from fcnlite import data, models
from fcnlite.description.model_info import ModelInfo, Preprocessing
from fcnlite.description.spec import LayerSpec, NetSpec
from fcnlite.errors import DataError, SpecError
from fcnlite.net import Net
from fcnlite.segmentation.compatibility import prepare
from fcnlite.segmentation.heads import heads, picture_inputs
from tests.color_net import color_net
from tests.data import layouts
from tests.data.layouts import bands

TINY = 1 / 64


def found(net: Net) -> dict[str, str]:
    return {label: head.blob for label, head in heads(net, picture_inputs(net)).items()}


def without_losses(net: Net) -> Net:
    spec, labels = net.spec, ("sem", "geo", "label")
    kept = tuple(each for each in spec if not each.type.endswith("Loss") and each.name not in labels)
    return Net(dataclasses.replace(spec, layers=kept), info=net.info)


def test_labels_are_the_blobs_that_losses_compare_with_scores() -> None:
    two = models.build("siftflow-fcn8s", width=TINY)
    assert found(two) == {"sem": "score_sem", "geo": "score_geo"}
    assert found(models.build("voc-fcn8s", width=TINY)) == {"label": "score"}


def test_without_losses_the_names_of_the_scores_tell() -> None:
    assert found(without_losses(models.build("siftflow-fcn8s", width=TINY))) == {"sem": "score_sem", "geo": "score_geo"}
    assert found(without_losses(models.build("voc-fcn8s", width=TINY))) == {"label": "score"}


def test_a_score_that_cannot_be_computed_is_not_replaced_by_what_comes_before_it() -> None:
    spec = models.describe("lite-fcn8s", classes=6, width=TINY).for_phase("TEST")
    unknown = LayerSpec("gate", "SoftGate", ("conv1_1",), ("gated",))
    end = next(i for i, each in enumerate(spec.layers) if each.name == "conv1_1") + 1
    net = Net(dataclasses.replace(spec, layers=(*spec.layers[:end], unknown)))
    with pytest.raises(SpecError, match=r"no scores .* 'gate': unknown type 'SoftGate'.*--import"):
        found(net)


def test_a_net_gets_the_labels_and_preprocessing_of_its_data(tmp_path: Path) -> None:
    root = layouts.siftflow(tmp_path, bands(1), bands(1), trainval=["a"])
    net = models.build("siftflow-fcn32s", width=TINY, phase="TRAIN")
    prepare(net, data.open("siftflow", root))
    assert net.info.classes[27] == "sky"
    assert net.info.labels("geo").classes == ("sky", "horizontal", "vertical")
    assert net.info.preprocessing.mean == (114.578, 115.294, 108.353)
    assert ModelInfo.from_json(net.info.to_json()) == net.info


def test_a_net_keeps_its_preprocessing_where_the_data_have_none() -> None:
    net = models.build("lite-fcn8s", classes=6, width=TINY, phase="TRAIN")
    mine = Preprocessing(color="RGB", mean=(1.0, 2.0, 3.0))
    net.info = ModelInfo(mine)
    prepare(net, data.open("shapes", count=1))
    assert net.info.preprocessing == mine
    assert net.info.classes[1] == "disc"


def gray_net(label: str = "label") -> Net:
    return Net(
        NetSpec(
            "gray",
            (
                LayerSpec("data", "Input", (), ("data",), {"shape": [{"dim": [1, 1, 8, 8]}]}),
                LayerSpec(label, "Input", (), (label,), {"shape": [{"dim": [1, 1, 8, 8]}]}),
                LayerSpec("score", "Convolution", ("data",), ("score",), {"num_output": 6, "kernel_size": [1]}),
                LayerSpec("loss", "SoftmaxWithLoss", ("score", label), ("loss",)),
            ),
        ),
        phase="TRAIN",
    )


def test_pictures_become_gray_for_a_net_of_one_channel() -> None:
    net = gray_net()
    prepare(net, data.open("shapes", count=1))
    assert net.info.preprocessing.color == "GRAY"
    assert net.info.preprocessing.mean == pytest.approx((114.45,), abs=0.01)


def test_data_sets_that_do_not_fit_are_reported(tmp_path: Path) -> None:
    shapes = data.open("shapes", count=1)
    with pytest.raises(DataError, match=r"scores 3 classes, but data set 'shapes' has 6 .*num_output"):
        prepare(color_net().share("TRAIN"), shapes)
    with pytest.raises(DataError, match=r"scores 2 labels \(sem, geo\), but data set 'shapes' has one"):
        prepare(models.build("siftflow-fcn32s", classes=(6, 3), width=TINY), shapes)
    with pytest.raises(DataError, match=r"takes 2 \(color, hha\), but data set 'shapes' gives one picture"):
        prepare(models.build("nyud-fcn32s-color-hha", classes=6, width=TINY), shapes)
    with pytest.raises(DataError, match=r"the inputs truth for its labels, but data set .* calls them label; rename"):
        prepare(gray_net("truth"), shapes)
    root = layouts.siftflow(tmp_path, bands(1), bands(1), trainval=["a"])
    with pytest.raises(DataError, match=r"scores the labels label, but data set 'siftflow' has sem, geo"):
        prepare(models.build("voc-fcn8s", classes=33, width=TINY), data.open("siftflow", root))


def test_a_net_without_pictures_is_refused() -> None:
    label = LayerSpec("label", "Input", (), ("label",), {"shape": [{"dim": [1, 1, 8, 8]}]})
    with pytest.raises(SpecError, match=r"uses 0 inputs"):
        picture_inputs(Net(NetSpec("none", (label,))))
