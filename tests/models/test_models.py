"""Nets by name: the published descriptions, any picture size, how they start, upsampling that keeps what it gets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fcnlite import models, surgery
from fcnlite.analysis import layer_table
from fcnlite.arrays import Array
from fcnlite.description.fillers import Filler, bilinear_kernel
from fcnlite.description.spec import LayerSpec, NetSpec
from fcnlite.errors import SpecError
from fcnlite.formats.caffe import parse_net, read_net, write_net
from fcnlite.net import Net

PUBLISHED_CLASSIFIERS = ["lenet", "alexnet", "caffenet", "vgg16", "googlenet"]
CLASSIFIERS = [*PUBLISHED_CLASSIFIERS, "lite-classifier"]
FCNS = [name for name in models.names() if name not in CLASSIFIERS]
OURS = [
    "voc-fcn-googlenet",
    "lite-fcn8s",
    "lite-fcn4s",
    "lite-fcn2s",
    "lite-fcn2s-topdown",
    "lite-dilated",
    "lite-unet",
]
"""FCNs that nobody else has published."""
PUBLISHED = [name for name in FCNS if name not in OURS]
TWO_HEADS = ["siftflow-fcn32s", "siftflow-fcn16s", "siftflow-fcn8s"]
SCORES = ("fc8", "ip2", "loss1/classifier", "loss2/classifier", "loss3/classifier")
"""The score layers of the classifiers; the FCNs' have `score` in their names."""
BLOCKS = ("loss1", "loss2")
"""GoogLeNet's auxiliary heads."""
LABELS = ("label", "sem", "geo")


def narrow(name: str, classes: int = 2, width: float = 1 / 64, **how: Any) -> Net:
    """A small net of that name; all its heads have as many classes."""
    heads = [classes] * 2 if name in TWO_HEADS else classes
    return models.build(name, classes=heads, width=width, **how)


def is_score(layer: str) -> bool:
    return layer in SCORES or "score" in layer


def inputs_of(spec: NetSpec) -> dict[str, list[int]]:
    return {each.name: each.options["shape"][0]["dim"] for each in spec if each.type == "Input"}


def feeds(net: Net, size: tuple[int, int] | None = None, labels: bool = False, seed: int = 0) -> dict[str, Array]:
    """Random pictures for all inputs, with labels on request; of the described size unless given."""
    rng = np.random.default_rng(seed)
    found = {}
    for name, shape in inputs_of(net.spec).items():
        shape = [*shape[:2], *size] if size else shape
        if name not in LABELS:
            found[name] = rng.normal(size=shape)
        elif labels:
            found[name] = rng.integers(0, 2, shape)
    return found


def score_blobs(name: str) -> list[str]:
    return ["score_sem", "score_geo"] if name in TWO_HEADS else ["score"]


# The descriptions


def test_the_shared_zoo_is_known(shared: Path) -> None:
    assert sorted(PUBLISHED) == sorted(folder.name for folder in (shared / "reference" / "zoo").iterdir())


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_fcns_are_the_published_ones(name: str, shared: Path) -> None:
    files = [each for each in (shared / "reference" / "zoo" / name).glob("*.prototxt") if "val" in each.stem]
    assert files
    ours = [layer for layer in models.describe(name) if layer.type != "Input"]
    for file in files:
        data, *published = read_net(file).layers
        assert data.type == "Python"
        assert sorted(data.top) == sorted(inputs_of(models.describe(name)))
        for mine, theirs in zip(ours, published, strict=True):
            assert mine == theirs


@pytest.mark.parametrize("name", models.names())
def test_descriptions_are_called_as_asked_and_survive_caffes_format(name: str) -> None:
    spec = models.describe(name)
    assert spec.name == name
    assert parse_net(write_net(spec)) == spec


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("lenet", 431_080),
        ("alexnet", 60_965_224),
        ("caffenet", 60_965_224),
        ("vgg16", 138_357_544),
        ("googlenet", 6_998_552),
        # The trunk, and scores (1024 + 1) · 21; the upsampling is fixed.
        ("voc-fcn-googlenet", 6_998_552 - 1_025_000 + 21_525),
    ],
)
def test_published_numbers_of_parameters(name: str, count: int) -> None:
    net = Net(models.describe(name))
    assert sum(parameter.array.size for _, parameter in net.learnable()) == count


def shapes_of(name: str) -> dict[str, tuple[int, ...]]:
    """The shapes of all blobs for one picture."""
    net = narrow(name, width=1)
    described = {blob: tuple(shape) for blob, shape in inputs_of(net.spec).items() if blob not in LABELS}
    return {
        blob: shape
        for layer, _, tops in net.shapes(described)
        for blob, shape in zip(layer.spec.top, tops, strict=True)
    }


def test_googlenets_modules_have_the_sizes_of_the_paper() -> None:
    """Szegedy et al., table 1."""
    shapes = shapes_of("googlenet")
    sizes = {
        "conv1/7x7_s2": (64, 112),
        "pool1/3x3_s2": (64, 56),
        "conv2/3x3": (192, 56),
        "pool2/3x3_s2": (192, 28),
        "inception_3a/output": (256, 28),
        "inception_3b/output": (480, 28),
        "pool3/3x3_s2": (480, 14),
        "inception_4a/output": (512, 14),
        "inception_4b/output": (512, 14),
        "inception_4c/output": (512, 14),
        "inception_4d/output": (528, 14),
        "inception_4e/output": (832, 14),
        "pool4/3x3_s2": (832, 7),
        "inception_5a/output": (832, 7),
        "inception_5b/output": (1024, 7),
        "pool5/7x7_s1": (1024, 1),
    }
    assert {blob: shapes[blob][1:3] for blob in sizes} == sizes


@pytest.mark.parametrize("name", ["alexnet", "caffenet"])
def test_alexnets_groups_see_half_the_channels(name: str) -> None:
    net = narrow(name, width=1)
    shapes = {layer: parameters[0].shape for layer, parameters in net.params.items()}
    assert shapes == {
        "conv1": (96, 3, 11, 11),
        "conv2": (256, 48, 5, 5),
        "conv3": (384, 256, 3, 3),
        "conv4": (384, 192, 3, 3),
        "conv5": (256, 192, 3, 3),
        "fc6": (4096, 256 * 6 * 6),
        "fc7": (4096, 4096),
        "fc8": (2, 4096),
    }


@pytest.mark.parametrize(
    ("name", "order"),
    [
        ("alexnet", ["norm1", "pool1", "norm2", "pool2", "pool5"]),
        ("caffenet", ["pool1", "norm1", "pool2", "norm2", "pool5"]),
        ("voc-fcn-alexnet", ["pool1", "norm1", "pool2", "norm2", "pool5"]),
    ],
)
def test_alexnet_normalises_before_it_pools_and_caffenet_after(name: str, order: list[str]) -> None:
    layers = [each for each in models.describe(name) if each.type in ("Pooling", "LRN")]
    assert [each.name for each in layers] == order
    for before, after in zip(layers[:3:2], layers[1:4:2], strict=True):
        assert after.bottom == before.top


def test_googlenets_auxiliary_heads_are_in_the_phase_train_alone() -> None:
    test, train = (
        {each.spec.name for each in narrow("googlenet", phase=phase).layers if each.spec.name.startswith(BLOCKS)}
        for phase in ("TEST", "TRAIN")
    )
    parts = ("ave_pool", "conv", "relu_conv", "fc", "relu_fc", "drop_fc", "classifier", "loss")
    assert not test
    assert train == {f"{block}/{part}" for block in BLOCKS for part in parts}


def test_googlenets_losses_are_weighted() -> None:
    net = narrow("googlenet", phase="TRAIN")
    out = net.forward(feeds(net, labels=True), keep=True)
    losses = [float(out[f"loss{i}/loss{i}"]) for i in (1, 2, 3)]
    assert all(losses)
    assert net.loss == pytest.approx(0.3 * losses[0] + 0.3 * losses[1] + losses[2], rel=1e-6)


def test_googlenet_trains_and_predicts_with_the_same_parameters() -> None:
    train = narrow("googlenet", phase="TRAIN")
    test = narrow("googlenet")
    assert {transfer.outcome for transfer in surgery.transplant(test, arrays(train))} == {"taken", "unused"}
    x = feeds(test)
    np.testing.assert_array_equal(train.share("TEST").forward(x)["prob"], test.forward(x)["prob"])


def arrays(net: Net) -> dict[str, list[Array]]:
    return {name: [each.array for each in parameters] for name, parameters in net.params.items()}


def test_fcn_googlenet_scores_the_last_module() -> None:
    spec = models.describe("voc-fcn-googlenet")
    assert spec.layer("score_fr").bottom == ("inception_5b/output",)
    assert spec.layer("conv1/7x7_s2").options["pad"] == [100]
    assert spec.layer("loss").options == {"ignore_label": 255, "normalize": False}
    assert not [
        each.name for each in spec if each.type == "Dropout" or each.options.get("pool") == "AVE" or each.include
    ]
    trunk = [each for each in models.describe("googlenet") if each.name.startswith("inception")]
    assert [each for each in spec if each.name.startswith("inception")] == trunk


# Classes, width, normalization


def outputs_of(spec: NetSpec) -> dict[str, int]:
    return {each.name: each.options["num_output"] for each in spec if "num_output" in each.options}


@pytest.mark.parametrize("name", [name for name in models.names() if name not in TWO_HEADS])
def test_classes_change_the_scores_alone(name: str) -> None:
    before, after = outputs_of(models.describe(name)), outputs_of(models.describe(name, classes=5))
    for layer, count in before.items():
        assert after[layer] == (5 if is_score(layer) else count)
    assert len({count for layer, count in before.items() if is_score(layer)}) == 1


@pytest.mark.parametrize("name", TWO_HEADS)
def test_two_heads_take_two_numbers_of_classes(name: str) -> None:
    before, after = outputs_of(models.describe(name)), outputs_of(models.describe(name, classes=(5, 2)))
    for layer, count in before.items():
        assert (count, after[layer]) in {(33, 5), (3, 2)} if is_score(layer) else after[layer] == count
        assert (count == 3) == layer.endswith("_geo")
    assert models.describe(name, classes=[33, 3]) == models.describe(name)


@pytest.mark.parametrize("name", models.names())
def test_width_changes_all_but_the_scores(name: str) -> None:
    whole, half = outputs_of(models.describe(name)), outputs_of(models.describe(name, width=0.5))
    for layer, count in whole.items():
        assert half[layer] == (count if is_score(layer) else count // 2)
    tiny = outputs_of(models.describe(name, width=0.0001))
    assert max(count for layer, count in tiny.items() if not is_score(layer)) <= 2


@pytest.mark.parametrize("width", [0.0001, 0.03, 0.1, 0.23])
@pytest.mark.parametrize("name", ["alexnet", "caffenet", "voc-fcn-alexnet"])
def test_groups_divide_the_channels_at_any_width(name: str, width: float) -> None:
    net = narrow(name, width=width)
    for each in net.spec:
        if each.options.get("group", 1) == 2:
            assert each.options["num_output"] % 2 == 0
            assert net.params[each.name][0].shape[0] == each.options["num_output"]


def losses_of(spec: NetSpec) -> list[LayerSpec]:
    return [each for each in spec if each.type == "SoftmaxWithLoss"]


@pytest.mark.parametrize("name", models.names())
def test_normalization_is_that_of_all_losses(name: str) -> None:
    void = {} if name in CLASSIFIERS else {"ignore_label": 255}
    if name.startswith("lite-") and name not in CLASSIFIERS:
        default: dict[str, Any] = {"normalization": "VALID"}
    else:
        default = {} if name in CLASSIFIERS else {"normalize": name == "voc-fcn-alexnet"}
    for normalization, how in ((None, default), ("FULL", {"normalization": "FULL"})):
        losses = losses_of(models.describe(name, normalization=normalization))
        assert losses
        assert all(each.options == void | how for each in losses)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"name": "voc-fcn4s"}, "'voc-fcn4s'.*voc-fcn"),
        ({"name": "googelnet"}, "'googelnet'.*'googlenet'"),
        ({"name": "voc-fcn8s", "classes": 0}, "classes is 0"),
        ({"name": "voc-fcn8s", "classes": -3}, "classes is -3"),
        ({"name": "voc-fcn8s", "classes": (21, 3)}, r"\(21, 3\); 'voc-fcn8s' takes one.* 21\."),
        ({"name": "siftflow-fcn8s", "classes": 33}, r"is 33; 'siftflow-fcn8s' takes one.* 33, 3\."),
        ({"name": "siftflow-fcn8s", "classes": (33, 0)}, r"classes is \(33, 0\)"),
        ({"name": "voc-fcn8s", "width": 0}, "width"),
        ({"name": "voc-fcn8s", "width": float("nan")}, "width"),
        ({"name": "voc-fcn8s", "normalization": "MEAN"}, "MEAN"),
    ],
)
def test_wrong_choices_are_named(how: dict[str, Any], words: str) -> None:
    with pytest.raises(SpecError, match=words):
        models.build(**how)


# Running them


@pytest.fixture(scope="module")
def small_nets() -> dict[str, Net]:
    return {name: narrow(name) for name in FCNS}


@pytest.mark.parametrize("size", [(1, 1), (1, 131), (97, 2), (64, 96), (211, 300)])
@pytest.mark.parametrize("name", FCNS)
def test_scores_have_the_size_of_the_picture(name: str, size: tuple[int, int]) -> None:
    net = narrow(name, width=1 / 16)
    scores = [layer for layer in net.params if is_score(layer) and "upscore" not in layer]
    surgery.fill(net, scores, Filler("msra"))  # scores of zero would be finite whatever the features are
    for layer in net.layers:
        if layer.spec.type == "BatchNorm":  # the statistics of no batch yet, 0, blow features up layer by layer
            for each in net.params[layer.spec.name][1:]:  # variance, and how many it sums
                each.data[...] = 1
    out = net.forward(feeds(net, size))
    assert list(out) == score_blobs(name)
    for blob in out.values():
        assert blob.shape == (1, 2, *size)
        assert np.isfinite(blob).all() and blob.any()


@pytest.mark.parametrize("name", ["voc-fcn8s", "voc-fcn-alexnet", *OURS])
@settings(max_examples=8)
@given(height=st.integers(1, 260), width=st.integers(1, 260))
def test_crops_fit_any_picture(name: str, height: int, width: int, small_nets: dict[str, Net]) -> None:
    score = small_nets[name].forward(feeds(small_nets[name], (height, width)))["score"]
    assert score.shape == (1, 2, height, width)


@pytest.mark.parametrize("name", CLASSIFIERS)
@pytest.mark.parametrize("phase", ["TEST", "TRAIN"])
def test_classifiers_give_probabilities_without_a_label_and_a_loss_with_one(name: str, phase: str) -> None:
    net = narrow(name, classes=4, phase=phase)
    x = feeds(net, labels=True)
    label = x.pop("label")
    prob = net.forward(x, outputs=["prob"])["prob"]
    assert prob.shape == (len(label), 4)
    np.testing.assert_allclose(prob.sum(1), 1, rtol=1e-5)
    out = net.forward({**x, "label": label})
    assert "prob" in out
    assert sum(blob.shape == () for blob in out.values()) == (3 if (name, phase) == ("googlenet", "TRAIN") else 1)
    if phase == "TEST":
        assert list(net.forward(x)) == ["prob"]
        (loss,) = (blob for blob in out.values() if blob.shape == ())
        own = prob[np.arange(len(label)), label.astype(int).ravel()]
        assert loss == pytest.approx(-np.log(own).mean(), rel=1e-5)


@pytest.mark.parametrize("name", models.names())
def test_a_training_step_has_finite_gradients_that_reach_the_scores(name: str) -> None:
    net = narrow(name, phase="TRAIN")
    net.forward(feeds(net, (40, 53) if name in FCNS else None, labels=True), keep=True)
    assert np.isfinite(net.loss) and net.loss > 0
    net.backward()
    for parameter in (each for parameters in net.params.values() for each in parameters):
        assert np.isfinite(parameter.grad).all()
    scores = [layer for layer in net.params if is_score(layer) and "upscore" not in layer]
    assert scores
    for layer in scores:
        assert net.params[layer][1].grad.any()


# How they start


def spread(filler: dict[str, Any], weight: Array) -> float:
    """The standard deviation that a filler gives."""
    fan_in = weight[0].size
    return {"gaussian": filler.get("std", 1.0), "xavier": fan_in**-0.5, "msra": (2 / fan_in) ** 0.5}[filler["type"]]


def check_start(layer: LayerSpec, weight: Array, biases: list[Array], default: dict[str, Any]) -> None:
    """Check that weight and bias start by the described fillers, or else by `default` and zero."""
    filler = layer.options.get("weight_filler", default)
    if weight.size > 2000:
        assert weight.std() == pytest.approx(spread(filler, weight), rel=0.1)
        if filler["type"] == "xavier":
            assert abs(weight).max() <= np.sqrt(3) * spread(filler, weight) * 1.0001
    for bias in biases:
        assert (bias == np.float32(layer.options.get("bias_filler", {}).get("value", 0))).all()


@pytest.mark.parametrize("name", FCNS)
def test_fcns_start_with_their_described_fillers(name: str) -> None:
    """Features by written fillers or msra, scores at zero, upsampling bilinear for each class by itself."""
    net = narrow(name, classes=3, width=1 / 8)
    for name, (weight, *biases) in arrays(net).items():
        layer = net.spec.layer(name)
        if layer.type == "Deconvolution":
            kernel = bilinear_kernel(weight.shape[2])
            for i in range(3):
                for j in range(weight.shape[1]):
                    expected = kernel if weight.shape[1] == 1 or i == j else 0 * kernel
                    np.testing.assert_allclose(weight[i, j], expected, rtol=1e-6)
        elif is_score(name):
            assert not weight.any() and not biases[0].any()
        elif layer.type == "Convolution":
            check_start(layer, weight, biases, {"type": "msra"})


@pytest.mark.parametrize("name", PUBLISHED_CLASSIFIERS)
def test_classifiers_start_with_their_described_fillers(name: str) -> None:
    net = narrow(name, classes=100, width=1 / 4, phase="TRAIN")
    for layer, (weight, *biases) in arrays(net).items():
        spec = net.spec.layer(layer)
        if (name, layer) == ("vgg16", "fc8"):
            assert not weight.any()
        else:
            assert ("weight_filler" in spec.options) == (name != "vgg16")
            check_start(spec, weight, biases, {"type": "msra"})


def test_the_lite_classifier_has_the_trunk_of_the_lite_fcns() -> None:
    classifier, fcn = narrow("lite-classifier", classes=5, width=1 / 8), narrow("lite-fcn8s", width=1 / 8)
    _, weights = surgery.fully_convolutional(classifier.spec, arrays(classifier))
    assert not any(each.any() for each in weights.pop("fc8"))
    outcomes = {each.layer: each.outcome for each in surgery.transplant(fcn, weights)}
    assert {name: outcomes[name] for name in weights} == dict.fromkeys(weights, "taken")


@pytest.mark.parametrize(("name", "hidden"), [("alexnet", 0.1), ("caffenet", 1.0)])
def test_alexnets_fillers_are_the_published_ones(name: str, hidden: float) -> None:
    net = narrow(name, classes=100, width=1 / 4)
    biases = {layer: parameters[1].array[0] for layer, parameters in net.params.items()}
    positive = {"conv2", "conv4", "conv5", "fc6", "fc7"}
    assert biases == {layer: np.float32(hidden if layer in positive else 0) for layer in biases}
    for layer, parameters in net.params.items():
        std = 0.005 if layer in ("fc6", "fc7") else 0.01
        assert parameters[0].array.std() == pytest.approx(std, rel=0.05)


def test_googlenets_biases_are_the_published_ones() -> None:
    net = narrow("googlenet", classes=10, phase="TRAIN")
    for layer, (_, bias) in arrays(net).items():
        assert (bias == np.float32(0 if layer.endswith("/classifier") else 0.2)).all()


@pytest.mark.parametrize("name", PUBLISHED_CLASSIFIERS)
def test_biases_learn_twice_as_fast_and_lenets_alone_decay(name: str) -> None:
    for parameters in narrow(name, phase="TRAIN").params.values():
        multipliers = [(each.lr_mult, each.decay_mult) for each in parameters]
        assert multipliers == [(1, 1), (2, 1 if name == "lenet" else 0)]


def test_at_once_scales_the_skips_by_fixed_factors() -> None:
    net = narrow("voc-fcn8s-atonce")
    for pool, factor in (("pool4", 0.01), ("pool3", 0.0001)):
        (scale,) = net.params[f"scale_{pool}"]
        assert (scale.array == np.float32(factor)).all()
        assert scale.lr_mult == 0


@pytest.mark.parametrize("name", [name for name in FCNS if name not in TWO_HEADS])
def test_a_constant_score_map_stays_constant(name: str) -> None:
    """With zero features, the coarse scores are their biases; all upsampling keeps them inside the picture."""
    net = narrow(name)
    for layer, parameters in net.params.items():
        for parameter in parameters:
            if "upscore" not in layer:
                parameter.data[...] = 0
    for layer in net.params:
        if "score" in layer and "upscore" not in layer:
            net.params[layer][1].data[...] = (1, -3)
    maps = sum("score" in layer and "upscore" not in layer for layer in net.params)
    summed = 1 if name == "nyud-fcn32s-color-hha" else maps  # there it is the mean of two
    score = net.forward(feeds(net, (160, 130)))["score"]
    inside = score[0, :, 48:-48, 48:-48]
    expected = np.broadcast_to(np.array([1, -3]).reshape(2, 1, 1) * summed, inside.shape)
    np.testing.assert_allclose(inside, expected, rtol=1e-5)


@pytest.mark.parametrize("name", ["lite-fcn8s", "googlenet"])
def test_nets_of_one_seed_are_equal(name: str) -> None:
    one, same, other = (arrays(narrow(name, seed=seed)) for seed in (1, 1, 2))
    for layer, parameters in one.items():
        for a, b in zip(parameters, same[layer], strict=True):
            np.testing.assert_array_equal(a, b)
    first = next(iter(one))
    assert (one[first][0] != other[first][0]).any()


@pytest.mark.parametrize("name", [name for name in OURS if name.startswith("lite-")])
def test_the_book_has_the_figures_of_each_lite_net(name: str) -> None:
    spec = models.build(name, classes=11, width=0.25).spec
    rows = layer_table.layer_rows(spec, {"data": (1, 3, 360, 480)})
    stride = max(int(row.stride) for row in rows if row.stride)
    macs = sum(row.macs for row in rows) / 1e9
    parameters = sum(row.parameters for row in rows)
    field = next(row.field for row in rows if row.name == "score")
    line = f"| `{name}` | {parameters:,} | {macs:.2f} G | {stride} | {field}×{field} |"
    assert line in (Path(__file__).parents[2] / "docs" / "training.md").read_text(encoding="utf-8")
