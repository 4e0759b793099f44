"""`lite-fcn8s`, `lite-fcn4s`, `lite-fcn2s`, `lite-fcn2s-topdown`: FCNs for training from scratch on a CPU.

They have VGG-16's trunk with batch normalisation and without the pad of 100, a 5×5 convolution in place of fc6, and the
paper's skips from pool4 and pool3. Each skip starts with a 3×3 convolution, so that one map of the trunk need not serve
two purposes. For thin objects, lite-fcn4s adds a skip from pool2, and lite-fcn2s another one from pool1. In
lite-fcn2s-topdown the convolution of each skip also reads the features of the coarser skip, so that thin objects are
classified by their surroundings. Upsampling is bilinear and fixed. Its pad of half the factor keeps every map centred
over the picture, so all crop offsets are 0, and any size from 1×1 works.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fcnlite.description.spec import NetSpec, ParamSpec
from fcnlite.models import fcn
from fcnlite.models.builder import FIXED, Builder, channels
from fcnlite.models.vgg import STAGES

WEIGHT = (ParamSpec(lr_mult=1, decay_mult=1),)
STRIDES = {5: 32, 4: 16, 3: 8, 2: 4, 1: 2}
"""The stages that are scored and fused, from coarse to fine, with the strides of their scores."""
TOP_DOWN = {5: 256, 4: 512, 3: 256, 2: 192, 1: 128}
"""Channels of the top-down features of each stage, at width 1; 5 is the layer in place of fc6."""
CLASSIFIED = 160
"""The height and width of the pictures of `lite_classifier`, which pool5 reduces to 5×5."""
STATISTICS = (ParamSpec(lr_mult=0, decay_mult=0),) * 3
SCALE = (ParamSpec(lr_mult=1, decay_mult=0), ParamSpec(lr_mult=1, decay_mult=0))


def lite_fcn(
    name: str, classes: int, width: float, normalization: str | None, *, stride: int, top_down: bool = False
) -> NetSpec:
    """The net with `width` times VGG-16's channels; `stride` is that of the finest scores: 8, 4 or 2.

    With `top_down`, each skip reads the features of the coarser one.
    """
    net = Builder(name)
    data = net.input("data", 1, 3, 224, 224)
    label = net.input("label", 1, 1, 224, 224)
    stages = [stage for stage in STRIDES if STRIDES[stage] >= stride]
    features = add_features(net, data, width, stages=stages, top_down=top_down)
    score = add_scores(net, features, classes, data)
    fcn.pixel_loss(net, score, label, normalization or "VALID")
    return net.spec()


def add_features(
    net: Builder,
    data: str,
    width: float,
    *,
    stages: Sequence[int] = (5, 4, 3),
    top_down: bool = False,
    suffix: str = "",
) -> dict[int, str]:
    """Add the layers from the blob `data` to the features of `stages`, from coarse to fine; returns blobs by stage.

    Stage 5 is the layer in place of fc6, the others are skips. Without stage 5 the trunk ends with the coarsest stage.
    `suffix` is appended to all names.
    """
    bottom = trunk(net, data, width, stages[0], suffix)
    features: dict[int, str] = {}
    coarser = None
    for stage in stages:
        pool = f"pool{stage}{suffix}"
        if stage == 5:
            features[5] = normalized(net, f"6{suffix}", bottom, channels(1024, width), 5)
            if top_down:
                coarser = normalized(net, f"6_down{suffix}", features[5], channels(TOP_DOWN[5], width), 1)
        elif coarser is None:
            features[stage] = normalized(net, f"{stage}_skip{suffix}", pool, channels(STAGES[stage - 1][0], width), 3)
        else:
            up = upsample(net, f"up{stage}{suffix}", coarser, channels(TOP_DOWN[stage + 1], width), 2)
            both = net.add(f"concat{stage}{suffix}", "Concat", (pool, net.crop(f"up{stage}c{suffix}", up, pool)))
            coarser = normalized(net, f"{stage}_down{suffix}", both, channels(TOP_DOWN[stage], width), 3)
            features[stage] = coarser
    return features


def add_scores(net: Builder, features: Mapping[int, str], classes: int, data: str, *, suffix: str = "") -> str:
    """Add the score of each of the `features`, their sum, and its upsampling to the blob `data`; returns `score`.

    `suffix` is appended to all names.
    """
    score, upsampled, stride = "", "", 0
    for stage, feature in features.items():
        name = "score_fr" if stage == 5 else f"score_pool{stage}"
        finer = net.score(f"{name}{suffix}", feature, classes)
        if score:
            coarse = upsample(net, f"{upsampled}{suffix}", score, classes, 2)
            coarse = net.crop(f"{upsampled}c{suffix}", coarse, finer)
            finer = net.fuse(f"fuse_pool{stage}{suffix}", coarse, finer)
        score, stride = finer, STRIDES[stage]
        upsampled = "upscore2" if stage == 5 else f"upscore_pool{stage}"
    last = f"upscore{stride}" if stride > 2 else upsampled  # upscore2 is the first
    return net.crop(f"score{suffix}", upsample(net, f"{last}{suffix}", score, classes, stride), data)


def lite_classifier(name: str, classes: int, width: float, normalization: str | None) -> NetSpec:
    """The classifier on the same trunk: from pictures of 160×160 pixels to class probabilities.

    Its fully connected layers are conv6, which covers the 5×5 map of pool5, and fc8, the scores. As a convolution,
    conv6 is that of the FCNs, whose trunk can start from this net's. Its BatchNorm has one value of each channel in a
    picture, so that training needs batches.
    """
    net = Builder(name)
    data = net.input("data", 8, 3, CLASSIFIED, CLASSIFIED)
    label = net.input("label", 8)
    top = net.inner_product("conv6", trunk(net, data, width), channels(1024, width), param=WEIGHT, bias_term=False)
    score = net.inner_product("fc8", activated(net, "6", top), classes)
    net.add("prob", "Softmax", score)
    net.loss("loss", score, label, normalization)
    return net.spec()


def trunk(net: Builder, bottom: str, width: float, deepest: int = 5, suffix: str = "") -> str:
    """Add conv1_1 to the pooled map of the stage `deepest`."""
    for stage, (count, convolutions) in enumerate(STAGES[:deepest], start=1):
        for i in range(1, convolutions + 1):
            bottom = normalized(net, f"{stage}_{i}{suffix}", bottom, channels(count, width), 3)
        bottom = net.pool(f"pool{stage}{suffix}", bottom, 2, 2)
    return bottom


def normalized(
    net: Builder, name: str, bottom: str, num_output: int, kernel_size: int, *, dilation: int = 1, relu: bool = True
) -> str:
    """Add convolution, batch normalisation, scale and shift, and ReLU unless `relu` is false; the size stays."""
    options: dict[str, Any] = {"dilation": [dilation]} if dilation > 1 else {}
    top = net.add(
        f"conv{name}",
        "Convolution",
        bottom,
        param=WEIGHT,
        num_output=num_output,
        kernel_size=[kernel_size],
        pad=[dilation * (kernel_size // 2)],
        bias_term=False,
        **options,
    )
    return activated(net, name, top, relu=relu)


def activated(net: Builder, name: str, top: str, *, relu: bool = True) -> str:
    """Add batch normalisation, scale and shift, and ReLU unless `relu` is false."""
    net.add(f"bn{name}", "BatchNorm", top, top=top, param=STATISTICS, moving_average_fraction=0.95)
    net.add(f"scale{name}", "Scale", top, top=top, param=SCALE, bias_term=True)
    return net.relu(f"relu{name}", top) if relu else top


def upsample(net: Builder, name: str, bottom: str, classes: int, factor: int) -> str:
    """Add bilinear upsampling by an even factor, of each channel separately."""
    return net.add(
        name,
        "Deconvolution",
        bottom,
        param=FIXED,
        num_output=classes,
        group=classes,
        bias_term=False,
        kernel_size=[2 * factor],
        stride=[factor],
        pad=[factor // 2],
    )
