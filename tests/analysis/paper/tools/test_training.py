"""Short trainings: the sequence of pictures, what they log, and where they begin."""

from __future__ import annotations

import numpy as np
import pytest

from fcnlite import data, models
from fcnlite.analysis.paper.tools.figures import loss_chart
from fcnlite.analysis.paper.tools.nets import weights_of
from fcnlite.analysis.paper.tools.statistics import percentages
from fcnlite.analysis.paper.tools.training import Training, averaged, begin, evaluate, running_mean, train
from fcnlite.arrays import Array
from fcnlite.errors import TrainingError

SHAPES = data.open("shapes", split="train", size=32, count=6)
SPEC = models.describe("lite-fcn8s", classes=6, width=1 / 16)


def test_the_pictures_are_the_same_for_every_batch_size() -> None:
    seen: list[list[Array]] = []

    def note(label: Array, rng: np.random.Generator) -> Array:
        seen[-1].extend(label)
        return label

    for batch_size, passes in ((1, 1), (2, 1), (1, 4)):
        seen.append([])
        count = 4 // (batch_size * passes)
        training = train(
            begin(SPEC, SHAPES), SHAPES, count, batch_size=batch_size, label=note, base_lr=0.001, iter_size=passes
        )
        assert training.pictures[-1] == 4
        assert len(training.losses) == len(training.seconds) == count
    for others in seen[1:]:
        np.testing.assert_array_equal(others, seen[0])


def test_trainings_repeat_and_begin_from_weights() -> None:
    first, second = begin(SPEC, SHAPES), begin(SPEC, SHAPES)
    losses = train(first, SHAPES, 3, base_lr=0.01, momentum=0.9).losses
    assert losses == train(second, SHAPES, 3, base_lr=0.01, momentum=0.9).losses
    assert losses[0] == pytest.approx(np.log(6), rel=1e-5), "the scores begin at zero"
    again = begin(SPEC, SHAPES, weights_of(first))
    assert percentages(evaluate(again, SHAPES)) == percentages(evaluate(first, SHAPES))


def test_weights_that_do_not_fit_are_an_error() -> None:
    with pytest.raises(TrainingError, match="no weight of init fits"):
        begin(SPEC, SHAPES, {"other": [np.zeros(3, np.float32)]})


def test_a_loss_that_is_not_finite_ends_the_training() -> None:
    net = begin(models.describe("voc-fcn32s", classes=6, width=1 / 32, normalization="NONE"), SHAPES)
    training = train(net, SHAPES, 8, base_lr=1e6)
    assert training.diverged and training.last_loss() == float("inf") and len(training.losses) < 8


def test_charts_have_one_part_for_each_abscissa() -> None:
    assert running_mean([1, 2, 3, 4], 0.5).tolist() == [1, 1.5, 2.5, 3.5]
    training = Training((2.0, 1.0), (0.1, 0.2), (1, 2))
    picture = loss_chart({"a": training}, by=("iterations", "seconds", "pictures"))
    assert picture.shape == (360, 1500, 3) and picture.dtype == np.uint8
    assert training.step_seconds() == pytest.approx(0.1) and training.last_loss() == 1


def test_the_mean_of_trainings_ends_with_the_shortest() -> None:
    long, short = Training((4.0, 2.0), (1.0, 2.0), (8, 16)), Training((2.0,), (3.0,), (8,))
    assert averaged([long, short]) == Training((3.0,), (2.0,), (8,))
