"""The Python that does the same training as the page, with the public interface alone."""

from __future__ import annotations

from fcnlite.config import num_threads
from fcnlite.explore.playground.pictures import HELD_OUT
from fcnlite.explore.playground.training import Training
from fcnlite.formats import caffe

_SCRIPT = '''\
"""The training of these settings of the playground. `python train.py [ITERATIONS]`

{words}
"""

import sys
from contextlib import closing
from itertools import islice

import numpy as np

import fcnlite
from fcnlite.data import {imported}
from fcnlite.data.augmentation import Augment
from fcnlite.data.transforms import to_blob
from fcnlite.metrics import Metrics, confusion

NET = """
{net}"""

fcnlite.set_num_threads({threads})  # the rounding of sums depends on it
iterations = int(sys.argv[1]) if len(sys.argv) > 1 else 500
net = fcnlite.Net(fcnlite.caffe.parse_net(NET), phase="TRAIN", seed={seed})
solver = fcnlite.SGD(net, base_lr={rate!r}, momentum={momentum!r})
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


def script(training: Training, of_folder: bool) -> str:
    """The script. A folder is called "your/folder" in it, since the page shows no path."""
    settings = training.settings
    words = "\n".join(f"    {name}={value}" for name, value in settings.shown.items())
    arguments = '"your/folder"' if of_folder else f"size={settings.size}"
    dataset = "Folder" if of_folder else "Shapes"
    return _SCRIPT.format(
        words=words,
        threads=num_threads(),
        imported=", ".join(sorted(("Loader", dataset))),
        net=caffe.write_net(training.net.spec),
        seed=settings.seed,
        rate=settings.rate,
        momentum=settings.momentum,
        train=f'{dataset}("train", {arguments})',
        held_out=f'{dataset}("val", {arguments})',
        batch=settings.batch,
        augment=list(settings.transforms.entries),
        count=min(HELD_OUT, len(training.held_out.truths)),
    )
