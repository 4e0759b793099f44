"""From classifier to FCN (sections 3.1 and 4.1): the step from whole pictures to pixels.

A classifier is trained on pictures of one shape. With convolutions in place of its fully connected layers, it gives a
map of classes for a whole scene. Without its last layer it is the trunk of an FCN-32s, whose scores start at zero.
"""

from __future__ import annotations

import math

import numpy as np

from fcnlite import data, surgery
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.page import Page
from fcnlite.analysis.paper.tools.classifier import ITERATIONS, accuracy, classify, single_shapes, train_classifier
from fcnlite.analysis.paper.tools.figures import class_colors, colored
from fcnlite.analysis.paper.tools.nets import frozen
from fcnlite.analysis.paper.tools.small_nets import small_fcn, trunk_of
from fcnlite.analysis.paper.tools.statistics import METRICS, percentages
from fcnlite.analysis.paper.tools.training import begin, evaluate, running_mean, train
from fcnlite.arrays import Array
from fcnlite.data import Dataset, Sample
from fcnlite.data.dataset import read_sample
from fcnlite.data.loader import blobs
from fcnlite.models.lite import CLASSIFIED
from fcnlite.net import Net

PICTURES = 20_000
STRIDE = 32
_SCORES_ITERATIONS = 200


def convolutional(classifier: Net) -> Net:
    """The classifier with convolutions in place of its fully connected layers, with the same parameters."""
    spec, weights = surgery.fully_convolutional(
        classifier.spec, {name: [each.data for each in parameters] for name, parameters in classifier.params.items()}
    )
    net = Net(spec, info=classifier.info)
    surgery.start_from(net, weights, "the classifier")
    return net


def coarse_map(net: Net, picture: Array) -> Array:
    """The class probabilities of a convolutional classifier over a picture C×H×W: classes × rows × columns."""
    found: Array = net.forward(data=picture[None], outputs=["prob"])["prob"][0]
    return found


def shown(scene: Sample, probabilities: Array, dataset: Dataset) -> Array:
    """The scene, its map and its truth side by side, H×W×3 uint8 RGB.

    The classifier looks at windows of its own size, one every 32 pixels. Each square of the map is the middle of a
    window and has the colour of its class, stronger if it is surer.
    """
    picture = np.asarray(next(iter(scene.images.values())))
    truth = colored(scene.label, dataset.colors)
    labels = probabilities.argmax(axis=0).astype(np.uint8) + 1
    colors = colored(labels, dataset.colors).astype(np.float64)
    sure = probabilities.max(axis=0)[:, :, None]
    squares = (255 - sure * (255 - colors)).astype(np.uint8).repeat(STRIDE, axis=0).repeat(STRIDE, axis=1)
    first = (CLASSIFIED - STRIDE) // 2
    middle = np.full_like(picture, 255)
    middle[first : first + squares.shape[0], first : first + squares.shape[1]] = squares
    sheet: Array = np.concatenate([picture, middle, truth], axis=1)
    return sheet


def run(settings: Settings, page: Page) -> None:
    """Fill the page with the classifier, its map over a scene, and the FCN that starts from it."""
    iterations = settings.iterations or ITERATIONS
    training_set, test_set = single_shapes("train", PICTURES), single_shapes("test", 200)
    classifier, training = train_classifier(training_set, iterations, settings.seed)
    page.files["shapes-classifier.h5"] = classifier.save
    share, classes = accuracy(classifier, test_set), len(classifier.info.classes)
    page.compare("top-1 accuracy of the classifier", None, f"{100 * share:.1f} %", f"{len(test_set)} pictures")
    page.text(
        "A classifier with VGG-16's layers, an eighth of its channels and batch normalisation learns from "
        f"{PICTURES:,} generated pictures of {CLASSIFIED}×{CLASSIFIED} pixels, each of one shape, in {iterations:,} "
        f"iterations of 8 pictures. It has {classes} classes and no background. In the last tenth of the training its "
        f"loss is {running_mean(training.losses)[-1]:.2f}; equal probabilities for all classes would give "
        f"{math.log(classes):.2f}. The shipped shapes-classifier, from which the other experiments start, was trained "
        "by this experiment; another number of threads gives a net like it, not the same numbers."
    )
    page.heading("The classifier over a scene")
    net = convolutional(classifier)
    samples = [blobs(read_sample(test_set, i), net.info.preprocessing)["data"] for i in range(20)]
    maps = np.stack([coarse_map(net, each)[:, 0, 0] for each in samples])
    own = classifier.forward(data=np.stack(samples), outputs=["prob"])["prob"]
    page.compare(
        "largest difference of probabilities, made convolutional, on pictures of its own size",
        "equal",
        f"{np.abs(maps - own).max():.0e}",
        "the same, but for rounding",
    )
    agreed = classify(classifier, test_set, range(20))[0] == maps.argmax(axis=1)
    page.text(
        "As a fully connected layer, conv6 reads the whole 5×5 map of pool5. As a convolution with a window of 5×5, it "
        "slides over the map of a larger picture. Both nets give the same class for "
        f"{np.count_nonzero(agreed)} of the first 20 test pictures."
    )
    scenes = data.open("shapes", split="test", size=384, count=2)
    rows = []
    for i in range(len(scenes)):
        scene = read_sample(scenes, i)
        probabilities = coarse_map(net, blobs(scene, net.info.preprocessing)["data"])
        rows.append(shown(scene, probabilities, scenes))
    page.picture(
        "scenes",
        np.concatenate(rows),
        f"Left: scenes. Middle: the class of each of {probabilities.shape[1]}×{probabilities.shape[2]} windows of "
        f"{CLASSIFIED}×{CLASSIFIED} pixels, in the colours of the truth; a square is at the middle of its window, and "
        "pale where the net is unsure. Right: the truth. The net has no class for the background.",
    )
    page.legend(class_colors(scenes.classes, scenes.colors))
    page.heading("Scores that start at zero")
    train_set = data.open("shapes", split="train", size=224, count=1000)
    val_set = data.open("shapes", split="test", size=224, count=40)
    spec = small_fcn(len(train_set.classes), STRIDE)
    fcn = begin(frozen(spec), train_set, trunk_of(classifier), settings.seed)
    before = evaluate(fcn, val_set)
    run_of_scores = train(
        fcn,
        train_set,
        min(_SCORES_ITERATIONS, iterations),
        seed=settings.seed,
        base_lr=0.01,
        momentum=0.9,
    )
    after = evaluate(fcn, val_set)
    page.table(
        ("FCN-32s on this trunk", *METRICS),
        [("scores at zero", *percentages(before)), ("scores learned", *percentages(after))],
    )
    page.text(
        f"A 1×1 convolution with {len(train_set.classes)} channels, one of them for the background, and bilinear "
        "upsampling replace the last layer. With scores of zero every class has the same probability, so the first "
        f"loss is {run_of_scores.losses[0]:.4f}, the logarithm of {len(train_set.classes)}. Then only the scores "
        f"learn, in {len(run_of_scores.losses)} iterations of one picture, from features of a trunk that never saw the "
        "label of a pixel. The experiment frozen compares this with fine-tuning all layers."
    )
