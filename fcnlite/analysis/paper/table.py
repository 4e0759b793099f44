"""The table of experiments, in the order of the papers."""

from __future__ import annotations

from fcnlite.analysis.paper.experiment import Experiment
from fcnlite.errors import SpecError, nearest

EXPERIMENTS: tuple[Experiment, ...] = (
    Experiment(
        "matan",
        "2",
        "Matan et al.: LeNet as a convolutional net reads digit strings of any length, decoded by Viterbi's algorithm.",
        "related.matan",
        frozenset({"iterations"}),
    ),
    Experiment(
        "wolf-platt",
        "2",
        "Wolf and Platt: maps of scores for the four corners find address blocks.",
        "related.wolf_platt",
        frozenset({"iterations"}),
    ),
    Experiment(
        "boundaries",
        "2",
        "Ning et al. and Ciresan et al. learn from patches; whole pictures give the same gradients in less time.",
        "related.boundaries",
        frozenset({"data", "iterations"}),
    ),
    Experiment(
        "recurrent",
        "2",
        "Pinheiro and Collobert: a net that is fed its own scores corrects them, with no parameter more.",
        "related.recurrent",
        frozenset({"iterations"}),
    ),
    Experiment(
        "overfeat",
        "2",
        "Sermanet et al. (OverFeat): a classifier of patches, made fully convolutional, detects by a sliding window.",
        "related.overfeat",
        frozenset({"iterations"}),
    ),
    Experiment(
        "restoration",
        "2",
        "Eigen et al.: a small fully convolutional net restores rainy pictures, by Euclidean loss.",
        "related.restoration",
        frozenset({"iterations"}),
    ),
    Experiment(
        "composition",
        "3",
        "Layers compose to one filter with kernel k' + (k - 1)s' and stride ss'; AlexNet's field is 355 pixels.",
        "composition",
    ),
    Experiment(
        "receptive-fields",
        "3",
        "The pixels with a gradient are exactly the predicted receptive field, or a subset in the net as it is.",
        "receptive_fields",
        frozenset({"model", "blob", "init"}),
    ),
    Experiment(
        "input-size",
        "3, 4.1",
        "A fully convolutional net takes pictures of any size and returns scores of the same size.",
        "input_size",
    ),
    Experiment(
        "shift",
        "3",
        "A net of filters is a filter: shifted by the stride, a picture gives the same output, shifted by one.",
        "shift",
    ),
    Experiment(
        "loss-sum",
        "3",
        "If the loss is a sum over positions, a step on the whole picture is a step on all patches, at less cost.",
        "loss_sum",
    ),
    Experiment(
        "dense-classifiers",
        "3.1",
        "A convolutional classifier gives a 10x10 grid of outputs over 5 times faster than patch by patch.",
        "dense_classifiers",
    ),
    Experiment(
        "shift-and-stitch",
        "3.2",
        "Interlaced outputs of f² shifts, and rarefied filters, give the same dense scores; upsampling costs far less.",
        "shift_and_stitch",
        frozenset({"data", "model"}),
    ),
    Experiment(
        "upsampling",
        "3.3",
        "Upsampling is backwards strided convolution; it starts as bilinear interpolation, and may be learned.",
        "upsampling",
        frozenset({"data", "init", "iterations"}),
    ),
    Experiment(
        "patchwise",
        "3.4",
        "Training on patches is sampling the loss: it converges no faster by iteration, and slower by time.",
        "patchwise",
        frozenset({"data", "model", "init", "iterations"}),
    ),
    Experiment(
        "pre-training",
        "4.1",
        "A classifier made convolutional, with scores that start at zero, is an FCN that can be fine-tuned.",
        "pre_training",
        frozenset({"iterations"}),
    ),
    Experiment(
        "initialisation",
        "4.1",
        "Scores that start at random values are no better and no faster than scores that start at zero.",
        "initialisation",
        frozenset({"data", "init", "iterations"}),
    ),
    Experiment(
        "skips",
        "4.2",
        "Skips from pool4 and pool3 add detail: FCN-16s is better than FCN-32s, and FCN-8s than FCN-16s, by less.",
        "skips",
        frozenset({"data", "init", "iterations"}),
    ),
    Experiment(
        "max-fusion",
        "4.2",
        "Fusing a skip by the maximum in place of the sum is hard to learn, because gradients switch.",
        "max_fusion",
        frozenset({"iterations"}),
    ),
    Experiment(
        "pool5-stride",
        "4.2",
        "Finer scores without skips, by a stride of 1 in pool5, need 14x14 filters in fc6, which are costly.",
        "pool5_stride",
    ),
    Experiment(
        "frozen",
        "4.3",
        "Fine-tuning all layers is better than training the scores alone, and both are better than from scratch.",
        "frozen",
        frozenset({"data", "init", "iterations"}),
    ),
    Experiment(
        "augmentation",
        "4.3",
        "Mirroring, jitter and class balancing bring no noticeable gain.",
        "augmentation",
        frozenset({"data", "init", "iterations"}),
    ),
    Experiment(
        "dropout",
        "4.3",
        "Training without dropout makes little difference.",
        "dropout",
        frozenset({"data", "init", "iterations"}),
    ),
    Experiment(
        "optimisation",
        "PAMI 4.2",
        "On one sequence of pictures, single pictures beat accumulated batches, and a high momentum beats a low one.",
        "optimisation",
        frozenset({"data", "init", "iterations"}),
    ),
    Experiment(
        "loss-normalisation",
        "4.3, PAMI 4.2",
        "A loss summed over pixels and one normalised make equal updates at rates that differ by the number of pixels.",
        "loss_normalisation",
        frozenset({"data", "init", "iterations"}),
    ),
    Experiment(
        "metrics",
        "5",
        "Pixel accuracy, mean accuracy, mean IU and frequency weighted IU differ where classes differ in size.",
        "metric_differences",
    ),
    Experiment(
        "results",
        "5",
        "Tables 2 to 5 and figure 6: the four metrics of the FCNs on PASCAL VOC, NYUDv2, SIFT Flow and PASCAL-Context.",
        "results",
        frozenset({"data", "model", "init"}),
    ),
    Experiment(
        "inference-time",
        "5",
        "FCN-8s segments a picture of 500x500 pixels in less than 1/5 s.",
        "inference_time",
        frozenset({"model", "init"}),
    ),
    Experiment(
        "multi-task",
        "5",
        "One net with a semantic and a geometric head is as good at both tasks as two nets.",
        "multi_task",
        frozenset({"data", "init", "iterations"}),
    ),
    Experiment(
        "fusion",
        "5",
        "Colour and depth: a fourth channel (early fusion) helps little, adding scores of two nets (late) more.",
        "fusion",
        frozenset({"data", "init", "iterations"}),
    ),
    Experiment(
        "masking",
        "PAMI 6.1",
        "Shape and context tell a class: nets that see no pixel of an object still find some of them.",
        "masking",
        frozenset({"data", "init", "iterations"}),
    ),
    Experiment(
        "background",
        "PAMI 6",
        "A net need not model the background: a constant score of 0 and sigmoids cost about one point of mean IU.",
        "background",
        frozenset({"data", "init", "iterations"}),
    ),
    Experiment(
        "momentum-window",
        "PAMI 6.2",
        "Batch size k and momentum p act alike if p^(1/k) is equal: 0.9 with 20 examples is about 0.995 with one.",
        "momentum_window",
    ),
    Experiment(
        "upper-bounds",
        "PAMI 6.3",
        "Mean IU hardly measures detail that is finer than most objects.",
        "upper_bounds",
        frozenset({"data"}),
    ),
)


def named(name: str) -> Experiment:
    """The experiment of this name. Raises `SpecError`, which lists similar names."""
    for each in EXPERIMENTS:
        if each.name == name:
            return each
    raise SpecError(f"no experiment is called {name!r}; {nearest(name, (each.name for each in EXPERIMENTS))}")
