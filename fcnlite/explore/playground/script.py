"""The Python that does the same training as the page, with the public interface alone."""

from __future__ import annotations

import inspect

from fcnlite.config import num_threads
from fcnlite.explore.playground.pictures import HELD_OUT, LabelsOffByOne
from fcnlite.explore.playground.training import Training
from fcnlite.formats import caffe

_SCRIPT = '''\
"""The training of these settings of the playground. `python train.py [ITERATIONS]`

{words}
"""

import sys
from contextlib import closing
{more}from itertools import islice

import numpy as np

import fcnlite
{tools}from fcnlite.data import {imported}
from fcnlite.data.augmentation import Augment
from fcnlite.data.transforms import to_blob
from fcnlite.metrics import Metrics, confusion

NET = """
{net}"""
{dataset}
fcnlite.set_num_threads({threads})  # the rounding of sums depends on it
iterations = int(sys.argv[1]) if len(sys.argv) > 1 else 500
net = fcnlite.Net(fcnlite.caffe.parse_net(NET), phase="TRAIN", seed={seed})
{trunk}solver = fcnlite.SGD(net, base_lr={rate!r}, momentum={momentum!r})
pictures = {train}
loader = Loader(
    pictures,
    batch_size={batch},
    preprocessing=net.info.preprocessing,
    augment=Augment.of({augment}),
    seed={seed},
)
with closing(loader.batches()) as batches:
    for iteration, batch in enumerate(islice(batches, iterations), start=1):
        loss = solver.step(batch)
        print(iteration, loss)

predicting = net.share("TEST")
matrix = 0
for i in range({count}):
    sample = {held_out}[i]
    picture = to_blob(sample.images["data"], net.info.preprocessing)[None]
    prediction = predicting.forward(data=picture)["score"].argmax(axis=1)[0]
    matrix = matrix + confusion(sample.label, prediction, len(pictures.classes))
print("mean IU", Metrics.from_matrix(np.asarray(matrix)).mean_iu)
'''

_TRUNK = """\
fcnlite.surgery.transplant(net, weights_of(fcnlite.load(shipped("shapes-classifier"))))
"""


def script(training: Training, of_folder: bool) -> str:
    """The script. A folder is called "your/folder" in it, since the page shows no path."""
    settings = training.settings
    dataset, arguments = ("Folder", '"your/folder"') if of_folder else ("Shapes", f"size={settings.size}")
    train, imported = f'{dataset}("train", {arguments})', ["Loader", dataset]
    off_by_one = isinstance(training.dataset, LabelsOffByOne)
    if off_by_one:
        train, imported = f"LabelsOffByOne({train})", [*imported, "Dataset", "Sample", "VOID"]
    trained = settings.trunk == "classifier"
    return _SCRIPT.format(
        words="\n".join(f"    {name}={value}" for name, value in settings.shown.items()),
        more="from dataclasses import replace\n" if off_by_one else "",
        tools="from fcnlite.analysis.paper.tools.nets import shipped, weights_of\n" if trained else "",
        imported=", ".join(sorted(imported, key=lambda name: (not name.isupper(), name))),
        net=caffe.write_net(training.net.spec),
        dataset=f"\n\n{inspect.getsource(LabelsOffByOne)}\n" if off_by_one else "",
        threads=num_threads(),
        seed=settings.seed,
        trunk=_TRUNK if trained else "",
        rate=settings.rate,
        momentum=settings.momentum,
        train=train,
        batch=settings.batch,
        augment=list(settings.transforms.entries),
        held_out=f'{dataset}("val", {arguments})',
        count=min(HELD_OUT, len(training.held_out.truths)),
    )
