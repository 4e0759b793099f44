"""Ning et al. and Ciresan et al.: boundaries of cells, learned from whole pictures in place of patches.

    python examples/related/boundaries.py [--iterations 150] [--out related/boundaries]

Each output of the net sees one window of 21×21 pixels. Patchwise training feeds every window as a picture of its own.
The loss is the mean over all windows in both cases, so the gradients are equal, but a whole picture computes what its
windows share once. The figures: the largest difference of the gradients relative to the largest gradient, the ratio of
the times, and the IU of membranes after training on whole pictures.
"""

import time

import numpy as np
from common import options, picture, save

import fcnlite
from fcnlite.models.builder import Builder

FIELD, MARGIN = 21, 10  # the receptive field's side; the outputs leave out a margin of half of it


def cells(side: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A 1×H×W picture of cells with dark spots, and its labels inside the margin: 1 where two centres are as near."""
    rows, columns = np.mgrid[:side, :side]
    centres = rng.uniform(-20, side + 20, (int((side + 40) ** 2 / 800), 2))
    away = np.hypot(rows[..., None] - centres[:, 0], columns[..., None] - centres[:, 1])
    nearest = np.partition(away, 1, axis=2)
    membrane = nearest[..., 1] - nearest[..., 0] < 2.5
    values = np.where(membrane, 0.3, 0.75)
    for y, x, radius in rng.uniform((0, 0, 1.5), (side, side, 3.5), (side**2 // 300, 3)):
        values[np.hypot(rows - y, columns - x) < radius] = 0.3  # a spot as dark as a membrane
    values += rng.normal(0, 0.12, values.shape)
    return values[None] - 0.5, membrane[None, MARGIN:-MARGIN, MARGIN:-MARGIN].astype(int)


def build() -> fcnlite.Net:
    net, filler = Builder("boundaries"), {"weight_filler": {"type": "msra"}}
    blob, label = net.input("data", 1, 1, FIELD, FIELD), net.input("label", 1, 1, 1, 1)
    for i, (count, kernel_size) in enumerate(((12, 5), (12, 5), (12, 5), (24, 9)), start=1):
        blob = net.relu(f"relu{i}", net.convolution(f"conv{i}", blob, count, kernel_size, **filler))
    net.loss("loss", net.convolution("score", blob, 2, 1, **filler), label, "VALID")
    return fcnlite.Net(net.spec(), phase="TRAIN")


def gradients(net: fcnlite.Net, data: np.ndarray, label: np.ndarray) -> tuple[np.ndarray, float]:
    """All gradients of the mean loss in one vector, and the seconds that forward and backward take; best of 3."""
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        net.forward(data=data, label=label, keep=True)
        net.backward()
        seconds.append(time.perf_counter() - start)
    return np.concatenate([each.grad.ravel() for group in net.params.values() for each in group]), min(seconds)


def main(arguments: list[str] | None = None) -> tuple[float, float]:
    given = options(__doc__, "boundaries", 150, arguments)
    rng, net = np.random.default_rng(0), build()
    data, label = cells(52, rng)
    whole, of_whole = gradients(net, data[None], label[None])
    windows = np.lib.stride_tricks.sliding_window_view(data[0], (FIELD, FIELD)).reshape(-1, 1, FIELD, FIELD)
    patchwise, of_patches = gradients(net, windows, label.reshape(-1, 1, 1, 1))
    difference = float(abs(whole - patchwise).max() / abs(whole).max())
    solver = fcnlite.Adam(net, base_lr=2e-3, lr_policy="poly", power=1, max_iter=given.iterations)
    for _ in range(given.iterations):
        pictures, labels = zip(*[cells(84, rng) for _ in range(2)], strict=True)
        solver.step(data=np.stack(pictures), label=np.stack(labels))
    data, label = cells(220, rng)
    score = net.share("TEST").forward(data=data[None])["score"][0]
    found, true = score[1] > score[0], label[0] == 1
    iu = float((found & true).sum() / (found | true).sum())
    save(given.out, "boundaries", picture(np.hstack([data[0, MARGIN:-MARGIN, MARGIN:-MARGIN] + 0.5, found, true])), 2)
    print(f"gradients differ by {difference:.1e}; IU of membranes: {iu:.3f}")
    print(f"{len(windows)} patches take {of_patches / of_whole:.1f} times as long as their picture, {of_whole:.3f} s")
    return difference, iu


if __name__ == "__main__":
    main()
