"""The results of section 5 (tables 2 to 6, figure 6): the four metrics of a net on a data set, beside the papers'."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fcnlite import data, models
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.page import Page
from fcnlite.analysis.paper.tools.figures import SHOWN, class_colors, colored
from fcnlite.analysis.paper.tools.nets import open_net, shipped
from fcnlite.analysis.paper.tools.statistics import METRICS, percentages
from fcnlite.data import Dataset
from fcnlite.errors import SpecError
from fcnlite.net import Net
from fcnlite.segmentation.evaluation import confusions
from fcnlite.segmentation.metrics import Metrics
from fcnlite.segmentation.segmenter import Segmenter


@dataclass(frozen=True)
class Row:
    """A row of a table of the papers."""

    model: str
    """The net of the zoo."""
    where: str
    """The table, and the pictures."""
    figures: tuple[str, str, str, str]
    """The four metrics in percent, in the order of `METRICS`."""


_SUBSET = "736 pictures of VOC 2011 val"
_NYUD = "CVPR table 4, NYUDv2 test"
_CONTEXT = "arXiv v2 table 6, PASCAL-Context, 59 classes"


def _reported(*figures: float) -> tuple[str, str, str, str]:
    pixel, mean, iu, weighted = (f"reported {each}" for each in figures)
    return pixel, mean, iu, weighted


PAPER = (
    Row("voc-fcn32s", f"CVPR table 2, {_SUBSET}", ("89.1", "73.3", "59.4", "81.4")),
    Row("voc-fcn16s", f"CVPR table 2, {_SUBSET}", ("90.0", "75.7", "62.4", "83.0")),
    Row("voc-fcn8s", f"CVPR table 2, {_SUBSET}", ("90.3", "75.9", "62.7", "83.2")),
    Row("voc-fcn32s", f"PAMI table 3, {_SUBSET}", _reported(90.5, 76.5, 63.6, 83.5)),
    Row("voc-fcn16s", f"PAMI table 3, {_SUBSET}", _reported(91.0, 78.1, 65.0, 84.3)),
    Row("voc-fcn8s", f"PAMI table 3, {_SUBSET}", _reported(91.2, 77.6, 65.5, 84.5)),
    Row("voc-fcn8s-atonce", f"PAMI table 3, {_SUBSET}", _reported(91.1, 78.5, 65.4, 84.4)),
    Row("voc-fcn8s", "CVPR table 3, VOC 2011 test", ("–", "–", "62.7", "–")),
    Row("voc-fcn8s", "CVPR table 3, VOC 2012 test", ("–", "–", "62.2", "–")),
    Row("voc-fcn8s", "PAMI abstract, VOC 2012 test", ("–", "–", "67.2", "–")),
    Row("nyud-fcn32s-color", _NYUD, ("60.0", "42.2", "29.2", "43.9")),
    Row("nyud-fcn32s-color-d", _NYUD, ("61.5", "42.4", "30.5", "45.5")),
    Row("nyud-fcn32s-hha", _NYUD, ("57.1", "35.2", "24.2", "40.4")),
    Row("nyud-fcn32s-color-hha", _NYUD, ("64.3", "44.9", "32.8", "48.0")),
    Row("siftflow-fcn16s", "CVPR table 5, SIFT Flow test, semantic", ("85.2", "51.7", "39.5", "76.1")),
    Row("siftflow-fcn16s", "CVPR table 5, SIFT Flow test, geometric", ("94.3", "–", "–", "–")),
    Row("siftflow-fcn8s", "PAMI table 6, SIFT Flow test, semantic", _reported(85.9, 53.9, 41.2, 77.2)),
    Row("siftflow-fcn8s", "PAMI table 6, SIFT Flow test, geometric", ("reported 94.6", "–", "–", "–")),
    Row("pascalcontext-fcn32s", _CONTEXT, ("63.8", "42.7", "31.8", "48.3")),
    Row("pascalcontext-fcn16s", _CONTEXT, ("65.7", "46.2", "34.8", "50.7")),
    Row("pascalcontext-fcn8s", _CONTEXT, ("65.9", "46.5", "35.1", "51.0")),
)
_SHIPPED = "shapes-fcn8s"


def run(settings: Settings, page: Page) -> None:
    """Fill the page with the metrics of the model on the data, by default of the shipped net on generated shapes."""
    dataset = settings.val_set
    if (dataset is None) != (settings.model is None):
        given, missing = ("data", "model") if settings.model is None else ("model", "data")
        raise SpecError(f"--{given} is given without --{missing}; name both, or neither for the shipped net on shapes.")
    if settings.model is None and settings.init is not None:
        raise SpecError("--init is given without --model; name the net of these weights with --model.")
    net = open_net(settings.model or str(shipped(_SHIPPED)), settings.init, settings.seed)
    dataset = dataset or data.open("shapes", None, "test", scene=True, size=256, count=24)
    rows = rows_of(net, settings)
    matrices = confusions(net, dataset)
    measured = {label: percentages(Metrics.from_matrix(matrix)) for label, matrix in matrices.items()}
    first, *_ = measured.values()
    for i, metric in enumerate(METRICS):
        paper = "; ".join(f"{row.figures[i]} ({row.where})" for row in rows if row.figures[i] != "–")
        page.compare(metric, paper or None, first[i], "" if paper else "the paper has no such net and data")
    page.text(
        f"The net {net.spec.name} is measured on {len(dataset)} pictures of {dataset.name}, split {dataset.split}, "
        "each at its own size."
    )
    if settings.model is None:
        page.text(
            "This net and its weights come with the repository, and the pictures are generated. Its figures cannot be "
            "compared with those of the papers, which are for photographs with up to 59 classes. With --data voc "
            "--root VOC2012 --model voc-fcn8s --init fcn8s-heavy-pascal.caffemodel, the page shows the metrics of the "
            "published net beside the papers'. A weight file of fcnlite contains its net, so --model FILE is enough."
        )
    elif rows:
        page.text(
            "The papers' figures are for the pictures that the table below names. On other pictures, such as all of "
            "VOC 2012 val, figures differ for that reason alone. A net that was trained on SBD has seen pictures of "
            "VOC 2012 val; the split seg11valid of the data set sbd has only pictures that it has not seen."
        )
    else:
        page.text(f"The papers have no row for the net {net.spec.name!r}. The table below has all their rows.")
    page.table(("label map", *METRICS), [(label, *figures) for label, figures in measured.items()])
    page.heading("The papers' tables")
    page.table(("net", "table, pictures", *METRICS), [(row.model, row.where, *row.figures) for row in PAPER])
    page.heading("Figure 6")
    _pictures(net, dataset, page)


def rows_of(net: Net, settings: Settings) -> list[Row]:
    """The rows of the papers for a net, by its name in the zoo or its own name."""
    name = settings.model if settings.model in models.names() else net.spec.name
    return [row for row in PAPER if row.model == name]


def _pictures(net: Net, dataset: Dataset, page: Page) -> None:
    segmenter = Segmenter(net)
    for i in range(min(SHOWN, len(dataset))):
        sample = dataset[i]
        predicted = next(iter(segmenter.label_maps(sample.images).values()))
        image = next(iter(sample.images.values()))
        if image.ndim == 3 and image.shape[2] == 3 and image.dtype == np.uint8:
            page.picture(f"picture-{i}", image, f"Picture {sample.name}.")
        for name, label in (("truth", next(iter(sample.labels.values()))), ("prediction", predicted)):
            page.picture(f"{name}-{i}", colored(label, dataset.colors), f"{name.capitalize()} of {sample.name}.")
    page.legend(class_colors(dataset.classes, dataset.colors))
