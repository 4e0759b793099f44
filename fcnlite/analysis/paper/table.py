"""The table of experiments, in the order of the papers."""

from __future__ import annotations

from fcnlite.analysis.paper.experiment import Experiment
from fcnlite.errors import SpecError, nearest

EXPERIMENTS: tuple[Experiment, ...] = (
    Experiment(
        "matan",
        "2",
        "A fully convolutional LeNet reads strings of digits of any length, with Viterbi decoding (Matan et al.).",
        "related.matan",
        frozenset({"iterations"}),
    ),
    Experiment(
        "wolf-platt",
        "2",
        "The score maps of a convolutional net find the four corners of an address block (Wolf and Platt).",
        "related.wolf_platt",
        frozenset({"iterations"}),
    ),
    Experiment(
        "boundaries",
        "2",
        "Whole pictures give the same gradients as all of their patches, in less time (Ning et al.; Ciresan et al.).",
        "related.boundaries",
        frozenset({"data", "iterations"}),
    ),
    Experiment(
        "recurrent",
        "2",
        "A net that reads its own scores can correct them, without more parameters (Pinheiro and Collobert).",
        "related.recurrent",
        frozenset({"iterations"}),
    ),
    Experiment(
        "overfeat",
        "2",
        "A classifier of patches, made fully convolutional, detects objects as a sliding window (Sermanet et al.).",
        "related.overfeat",
        frozenset({"iterations"}),
    ),
    Experiment(
        "restoration",
        "2",
        "A small fully convolutional net removes rain from pictures (Eigen et al.).",
        "related.restoration",
        frozenset({"iterations"}),
    ),
    Experiment(
        "composition",
        "3",
        "Two layers compose to one with kernel k' + (k − 1)s' and stride ss', and so do the layers of a whole net.",
        "experiments.composition",
    ),
    Experiment(
        "receptive-fields",
        "3",
        "The pixels with a non-zero gradient are exactly the predicted receptive field, or a part of it.",
        "experiments.receptive_fields",
        frozenset({"model", "blob", "init"}),
    ),
    Experiment(
        "input-size",
        "3, 4.1",
        "A fully convolutional net takes a picture of any size and returns scores of the same size.",
        "experiments.input_size",
    ),
    Experiment(
        "shift",
        "3",
        "If the picture shifts by the stride, the output of a fully convolutional net shifts by one position.",
        "experiments.shift",
    ),
    Experiment(
        "loss-sum",
        "3",
        "If the loss is a sum over positions, a picture has the gradient of all its patches together, at less cost.",
        "experiments.loss_sum",
    ),
    Experiment(
        "dense-classifiers",
        "3.1",
        "A convolutional classifier computes a 10×10 grid of outputs over 5 times faster than patch by patch.",
        "experiments.dense_classifiers",
    ),
    Experiment(
        "shift-and-stitch",
        "3.2",
        "Shift-and-stitch and filter rarefaction give the same dense scores; upsampling costs far less.",
        "experiments.shift_and_stitch",
        frozenset({"data", "model"}),
    ),
    Experiment(
        "upsampling",
        "3.3",
        "Upsampling is backwards strided convolution: it can start as bilinear interpolation, and it can be learned.",
        "experiments.upsampling",
        frozenset({"data", "init", "iterations"}),
    ),
    Experiment(
        "patchwise",
        "3.4, 4.3",
        "Patchwise training is loss sampling: it does not converge faster by iteration, and it takes more time.",
        "experiments.patchwise",
        frozenset({"data", "model", "init", "iterations"}),
    ),
    Experiment(
        "pre-training",
        "4.1",
        "A classifier becomes an FCN: its fully connected layers become convolutions, and new scores start at zero.",
        "experiments.pre_training",
        frozenset({"iterations"}),
    ),
    Experiment(
        "initialisation",
        "4.3",
        "Random initial weights of the scores give neither a better result nor faster training than zeros.",
        "experiments.initialisation",
        frozenset({"data", "init", "iterations"}),
    ),
    Experiment(
        "skips",
        "4.2",
        "Skips from pool4 and pool3 add detail: FCN-16s is better than FCN-32s, and FCN-8s is a little better still.",
        "experiments.skips",
        frozenset({"data", "init", "iterations"}),
    ),
    Experiment(
        "max-fusion",
        "4.2",
        "Fusing a skip by the maximum in place of the sum makes learning hard, because the gradients switch.",
        "experiments.max_fusion",
        frozenset({"iterations"}),
    ),
    Experiment(
        "pool5-stride",
        "4.2",
        "A stride of 1 in pool5 gives finer scores without skips, but fc6 then needs 14×14 filters, which are costly.",
        "experiments.pool5_stride",
    ),
    Experiment(
        "frozen",
        "4.3",
        "Fine-tuning all layers is better than training the scores alone, and training from scratch is not feasible.",
        "experiments.frozen",
        frozenset({"data", "init", "iterations"}),
    ),
    Experiment(
        "augmentation",
        "4.3",
        "Mirroring and jitter bring no noticeable gain, and class balancing is unnecessary.",
        "experiments.augmentation",
        frozenset({"data", "init", "iterations"}),
    ),
    Experiment(
        "dropout",
        "4.3",
        "Training without dropout makes little difference.",
        "experiments.dropout",
        frozenset({"data", "init", "iterations"}),
    ),
    Experiment(
        "optimisation",
        "PAMI 4.2",
        "For the same number of pictures, a batch of 1 does better than one of 20, and momentum 0.99 better than 0.9.",
        "experiments.optimisation",
        frozenset({"data", "init", "iterations"}),
    ),
    Experiment(
        "loss-normalisation",
        "4.3, PAMI 4.2",
        "A loss that is a sum over N pixels needs a rate that is N times smaller than that of their mean.",
        "experiments.loss_normalisation",
        frozenset({"data", "init", "iterations"}),
    ),
    Experiment(
        "metrics",
        "5",
        "Pixel accuracy, mean accuracy, mean IU and frequency weighted IU disagree where classes differ in size.",
        "experiments.metrics",
    ),
    Experiment(
        "results",
        "5",
        "FCNs reach the metrics of tables 2 to 6 on PASCAL VOC, NYUDv2, SIFT Flow and PASCAL-Context.",
        "experiments.results",
        frozenset({"data", "model", "init"}),
    ),
    Experiment(
        "inference-time",
        "1, 5",
        "FCN-8s segments a picture of 500×500 pixels in less than 1/5 s on a GPU.",
        "experiments.inference_time",
        frozenset({"model", "init"}),
    ),
    Experiment(
        "multi-task",
        "5",
        "One net with a semantic and a geometric head does both tasks as well as two nets.",
        "experiments.multi_task",
        frozenset({"data", "init", "iterations"}),
    ),
    Experiment(
        "fusion",
        "5",
        "Early fusion of colour and depth helps little; late fusion, which adds the scores of two nets, helps more.",
        "experiments.fusion",
        frozenset({"data", "init", "iterations"}),
    ),
    Experiment(
        "masking",
        "PAMI 6.1",
        "A net finds some objects by their shape or their surroundings alone, without seeing any of their pixels.",
        "experiments.masking",
        frozenset({"data", "init", "iterations"}),
    ),
    Experiment(
        "background",
        "PAMI 6",
        "The background needs no scores of its own: a constant 0 with sigmoid losses costs about one point of mean IU.",
        "experiments.background",
        frozenset({"data", "init", "iterations"}),
    ),
    Experiment(
        "momentum-window",
        "PAMI 6.2",
        "Batch size k and momentum p act like k' and p' if p^(1/k) = p'^(1/k').",
        "experiments.momentum_window",
    ),
    Experiment(
        "upper-bounds",
        "PAMI 6.3",
        "Mean IU hardly measures fine detail: even coarse predictions can have a high mean IU.",
        "experiments.upper_bounds",
        frozenset({"data"}),
    ),
)


def named(name: str) -> Experiment:
    """The experiment of this name. Raises `SpecError`, which lists similar names."""
    for each in EXPERIMENTS:
        if each.name == name:
            return each
    raise SpecError(f"no experiment is called {name!r}; {nearest(name, (each.name for each in EXPERIMENTS))}")
