"""Measure the processor time of each transform of augmentation: `python -m benchmarks.augmentation`.

A generated scene of 360×480 pixels is cropped to 288×384, with one transform besides, then with `STRONG`. Times are of
one thread, in milliseconds a picture, without reading its file: the median of `RUNS` pictures, for `STRONG` the mean.
`crop` alone copies, so the figure of each warp includes its resampling.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

from fcnlite import data
from fcnlite.data.augmentation import TRANSFORMS, Augment, Streams, augmented
from fcnlite.data.sample import Sample
from fcnlite.description.model_info import Preprocessing

CROP = "crop=288:384"
STRONG = (
    "scale=0.5:2:log", CROP, "classcrop=0.5", "flip", "rotation=10", "perspective=0.1", "elastic=8:64",
    "brightness=0.5", "contrast=0.5", "gamma=0.7", "temperature=0.2", "saturation=0.8", "hue=0.05", "blur=1",
    "noise=10", "cutout=2", "cutmix=0.25", "classmix=0.25",
)  # fmt: skip
RUNS = 100


def milliseconds(samples: Sequence[Sample], entries: Sequence[str]) -> list[float]:
    """The processor time of each of `RUNS` pictures with this list."""
    settings, times = Augment.of(entries), []
    for epoch in range(RUNS):
        began = time.thread_time()
        augmented(lambda index: samples[index], len(samples), settings, Streams(0, epoch, 0), Preprocessing())
        times.append(1000 * (time.thread_time() - began))
    return times


def main() -> None:
    scenes = data.open("shapes", scene=True, size=360, count=2)
    samples = [
        Sample({"data": each.image[:, :480].copy()}, {"label": each.label[:, :480].copy()}, each.name)
        for each in (scenes[0], scenes[1])
    ]
    milliseconds(samples, STRONG)  # imports and tables
    alone = statistics.median(milliseconds(samples, [CROP]))
    print(f"{CROP:24} {alone:6.2f} ms")
    for kind in TRANSFORMS.values():
        if kind.name != "crop":
            entry = f"{kind.name}=1" if kind.name in ("cutmix", "classmix", "classcrop") else kind.example
            found = statistics.median(milliseconds(samples, [CROP, entry]))
            print(f"{entry:24} {found - alone:6.2f} ms more")
    print(f"{'all of the strong list':24} {statistics.fmean(milliseconds(samples, STRONG)):6.2f} ms on average")


if __name__ == "__main__":
    main()
