"""The two small nets that learn within a page's minutes, and the trunk that both start from.

The trunk is that of the shipped classifier of whole pictures: VGG-16's layers with an eighth of its channels. It has
the place of VGG-16 trained on ImageNet; the experiment `pre-training` trains it.

    small_fcn      all five stages with the papers' skips: FCN-32s, FCN-16s or FCN-8s; for pictures of 96 pixels or more
    shallow_fcn    the first three stages, scored at the strides 8 and 4; for pages that train many nets, on 64 pixels
"""

from __future__ import annotations

from dataclasses import replace

from fcnlite import surgery
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.tools.nets import reference_fcn, shipped, weights_of
from fcnlite.description.spec import LayerSpec, NetSpec
from fcnlite.loading import load
from fcnlite.models import fcn, lite
from fcnlite.models.builder import Builder
from fcnlite.net import Net
from fcnlite.surgery import Weights

WIDTH = 1 / 8
"""The share of VGG-16's channels that the shipped classifier and the small nets have."""
COARSEST = "score_pool3"
"""The layer of the coarsest scores of a shallow net."""
SMALL = "The net is a small FCN-8s: the shipped classifier's trunk, VGG-16 with an eighth of its channels, and skips."
SHALLOW = "The nets are shallow: the first three stages of the shipped classifier, scored at the strides 8 and 4."
"""The nets in words, for a page."""
_STAGES = (3, 2)
"""The stages that a shallow net scores, from coarse to fine."""


def shipped_trunk() -> Weights:
    """The trunk of the shipped classifier by layer name. Raises `FileError` if the file is missing."""
    return trunk_of(load(shipped("shapes-classifier")))


def small_or_given(settings: Settings, classes: int) -> tuple[NetSpec, str | Weights]:
    """The small FCN-8s and its trunk, or with given weights the FCN-32s of the FCN reference and the file."""
    if settings.init is None:
        return small_fcn(classes, 8), shipped_trunk()
    return reference_fcn(classes), settings.init


def trunk_of(classifier: Net) -> Weights:
    """The weights of a `lite-classifier` by layer name, made convolutional, without its scores."""
    _, weights = surgery.fully_convolutional(classifier.spec, weights_of(classifier))
    return {layer: arrays for layer, arrays in weights.items() if layer != "fc8"}


def small_fcn(classes: int, stride: int, normalization: str = "VALID") -> NetSpec:
    """FCN-32s, FCN-16s or FCN-8s in small, by the stride of its finest scores.

    It is the lite net without the convolution before each skip, so that all features are those of the trunk, and with
    the trunk's statistics in each BatchNorm.
    """
    return fixed_statistics(
        plain_skips(lite.lite_fcn(f"lite-fcn{stride}s", classes, WIDTH, normalization, stride=stride))
    )


def plain_skips(spec: NetSpec) -> NetSpec:
    """A lite net with the paper's skips: scores of the pooled maps, without the convolution before them."""

    def changed(layer: LayerSpec) -> LayerSpec:
        if not layer.name.startswith("score_pool"):
            return layer
        return replace(layer, bottom=(layer.name.removeprefix("score_"),))

    return replace(spec, layers=tuple(changed(layer) for layer in spec if not layer.name.endswith("_skip")))


def fixed_statistics(spec: NetSpec) -> NetSpec:
    """`spec` with the stored statistics in each BatchNorm, in training too.

    The output for a picture then does not depend on the others in its batch, as in the papers' nets, which have no
    BatchNorm. The weights must come with their statistics.
    """

    def fixed(layer: LayerSpec) -> LayerSpec:
        if layer.type != "BatchNorm":
            return layer
        return replace(layer, options={**layer.options, "use_global_stats": True})

    return replace(spec, layers=tuple(map(fixed, spec.layers)))


def shallow_fcn(classes: int) -> NetSpec:
    """The net for one picture and one label map.

    Its features have a stride of 8 and a receptive field of 60 pixels, about a whole picture of 64 pixels.
    """
    net = Builder("shallow-fcn")
    data = net.input("data", 1, 3, 224, 224)
    label = net.input("label", 1, 1, 224, 224)
    score = lite.add_scores(net, shallow_features(net, data), classes, data)
    fcn.pixel_loss(net, score, label, "VALID")
    return net.spec()


def shallow_features(net: Builder, picture: str, suffix: str = "") -> dict[int, str]:
    """Add the features of the blob `picture`; returns blobs by stage. `suffix` is appended to all names."""
    return lite.add_features(net, picture, WIDTH, stages=_STAGES, suffix=suffix)
