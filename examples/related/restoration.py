"""Eigen et al. (2013): a small fully convolutional net removes rain from pictures, by Euclidean loss.

    python examples/related/restoration.py [--iterations 400] [--out related/restoration]

The net adds a correction to its input. Its last layer starts at zero, so the untrained net returns the rainy picture.
It learns on small pictures and cleans larger ones. The figure is the peak signal-to-noise ratio in dB,
PSNR = −10 · log₁₀(mean squared error), for values from 0 to 1.
"""

import numpy as np
from common import options, picture, save
from PIL import Image, ImageDraw, ImageFilter

import fcnlite
from fcnlite import data
from fcnlite.models.builder import Builder


def rain(clean: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The H×W×3 picture from 0 to 1 with one streak per 120 pixels, all with the same slope."""
    height, width, _ = clean.shape
    layer = Image.new("L", (width, height))
    draw, slope = ImageDraw.Draw(layer), rng.uniform(-0.5, 0.5)
    for _ in range(height * width // 120):
        x, y, length = rng.uniform(0, width), rng.uniform(-8, height), rng.uniform(6, 14)
        draw.line([x, y, x + slope * length, y + length], fill=int(rng.integers(100, 230)))
    share = np.asarray(layer.filter(ImageFilter.GaussianBlur(0.4)), float)[:, :, None] / 255
    return clean + share * (1 - clean)


def pair(image: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The picture with rain and without, each 3×H×W."""
    return rain(image / 255, rng).transpose(2, 0, 1), image.transpose(2, 0, 1) / 255


def build() -> fcnlite.Net:
    net = Builder("restoration")
    rainy, clean = net.input("data", 1, 3, 64, 64), net.input("clean", 1, 3, 64, 64)
    blob = rainy
    for i, side in ((1, 7), (2, 5)):
        blob = net.convolution(f"conv{i}", blob, 24, side, pad=side // 2, weight_filler={"type": "msra"})
        blob = net.add(f"tanh{i}", "TanH", blob, top=blob)
    restored = net.fuse("restored", rainy, net.convolution("correction", blob, 3, 5, pad=2))
    net.add("loss", "EuclideanLoss", (restored, clean))
    return fcnlite.Net(net.spec(), phase="TRAIN")


def psnr(found: np.ndarray, clean: np.ndarray) -> float:
    return float(-10 * np.log10(np.mean((found - clean) ** 2)))


def main(arguments: list[str] | None = None) -> tuple[float, float]:
    given = options(__doc__, "restoration", 400, arguments)
    rng, net, count = np.random.default_rng(0), build(), 4
    train = data.open("shapes", None, "train", size=64)
    solver = fcnlite.Adam(net, base_lr=2e-3, lr_policy="poly", power=1, max_iter=max(1, given.iterations))
    for iteration in range(given.iterations):
        rainy, clean = zip(
            *[pair(train[(iteration * count + i) % len(train)].image, rng) for i in range(count)], strict=True
        )
        solver.step(data=np.stack(rainy), clean=np.stack(clean))
    scenes = data.open("shapes", None, "test", scene=True, size=160, count=10)
    tested, figures = net.share("TEST"), []
    for index in range(len(scenes)):
        rainy, clean = pair(scenes[index].image, rng)
        restored = tested.forward(data=rainy[None])["restored"][0]
        figures.append((psnr(rainy, clean), psnr(restored, clean)))
    before, after = np.mean(figures, 0).tolist()
    save(given.out, "restoration", picture(np.concatenate([rainy, restored, clean], axis=2)))
    print(f"PSNR of {len(scenes)} pictures: {before:.1f} dB with rain, {after:.1f} dB restored")
    return before, after


if __name__ == "__main__":
    main()
