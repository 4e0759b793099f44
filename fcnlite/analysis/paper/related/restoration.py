"""Eigen et al. (2013): a small fully convolutional net removes rain from pictures, by Euclidean loss (section 2).

The net adds a correction to its input. Its last layer starts at zero, so the untrained net returns the rainy picture.
It learns on small pictures and cleans larger ones. The figure is the peak signal-to-noise ratio in dB,
PSNR = −10 · log₁₀(mean squared error), for values from 0 to 1. A median of 3×3 pixels shows what a simple filter does.
"""

import numpy as np
from PIL import Image, ImageFilter

from fcnlite import data
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.page import Page
from fcnlite.analysis.paper.related.common import MSRA, best, draws, explain
from fcnlite.analysis.paper.related.drawing import rain
from fcnlite.arrays import Array
from fcnlite.models.builder import Builder
from fcnlite.net import Net


def build(seed: int) -> Net:
    """Three convolutions whose sum with the input is the restored picture."""
    net = Builder("restoration")
    rainy, clean = net.input("data", 1, 3, 64, 64), net.input("clean", 1, 3, 64, 64)
    blob = rainy
    for i, side in ((1, 7), (2, 5)):
        blob = net.convolution(f"conv{i}", blob, 24, side, pad=side // 2, **MSRA)
        blob = net.add(f"tanh{i}", "TanH", blob, top=blob)
    restored = net.fuse("restored", rainy, net.convolution("correction", blob, 3, 5, pad=2))
    net.add("loss", "EuclideanLoss", (restored, clean))
    return Net(net.spec(), phase="TRAIN", seed=seed)


def psnr(found: Array, clean: Array) -> float:
    """The peak signal-to-noise ratio of values from 0 to 1, in dB."""
    return float(-10 * np.log10(np.mean((found - clean) ** 2)))


def median(rainy: Array) -> Array:
    """The median of 3×3 pixels of a picture 3×H×W from 0 to 1."""
    image = Image.fromarray(pixels(rainy)).filter(ImageFilter.MedianFilter(3))
    return np.asarray(image).transpose(2, 0, 1) / 255


def pixels(values: Array) -> Array:
    """3×H×W values from 0 to 1 as H×W×3 pixels."""
    shown: Array = (255 * values.clip(0, 1)).astype(np.uint8).transpose(1, 2, 0)
    return shown


def run(settings: Settings, page: Page) -> None:
    """Fill the page with the PSNR of rainy and of restored pictures."""
    train, seed = data.open("shapes", None, "train", size=64), settings.seed
    scenes = {"validation": data.open("shapes", None, "val", scene=True, size=160, count=10)}
    scenes["test"] = data.open("shapes", None, "test", scene=True, size=160, count=10)

    def batch(rng: np.random.Generator) -> dict[str, Array]:
        clean = [np.asarray(train[i].image) / 255 for i in rng.integers(0, len(train), 4).tolist()]
        blobs = {"data": [rain(each, rng) for each in clean], "clean": clean}
        return {name: np.stack(each).transpose(0, 3, 1, 2) for name, each in blobs.items()}

    def restored(net: Net, split: str) -> list[tuple[Array, Array, Array]]:
        rng = draws(split, seed)
        clean = [np.asarray(scenes[split][i].image) / 255 for i in range(len(scenes[split]))]
        pairs = [(rain(each, rng).transpose(2, 0, 1), each.transpose(2, 0, 1)) for each in clean]
        return [(a, net.forward(data=a[None])["restored"][0], b) for a, b in pairs]

    def gain(net: Net) -> float:
        return float(np.mean([psnr(found, clean) for _, found, clean in restored(net, "validation")]))

    explain(page, __doc__)
    found = restored(best(page, lambda: build(seed), batch, settings.iterations or 400, seed, gain)[0], "test")
    for what, tried in (("with rain", 0), ("median filter", None), ("restored", 1)):
        figures = [psnr(median(each[0]) if tried is None else each[tried], each[2]) for each in found]
        page.compare(f"PSNR of {len(found)} pictures, {what}", None, f"{np.mean(figures):.1f} dB")
    for name, values in zip(("rainy", "restored", "clean"), found[0], strict=True):
        page.picture(name, pixels(values), f"The first picture, {name}.")
