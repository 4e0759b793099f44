"""Fine-tune a trained net on a folder of your own pictures: learn new classes on existing features.

    python examples/finetune_folder.py weights.h5 photos mine.h5

`photos` has the folders images/ and labels/ that `--data folder` expects. The train command does the same with
checkpoints, curves and a report. It needs the model and width of weights.h5, here lite-fcn8s at a quarter of its width:

    python -m fcnlite.train --init weights.h5 --model lite-fcn8s --width 0.25 --data folder --root photos \\
        --solver AdamW --base-lr 3e-4 --lr-policy poly --power 1 --weight-decay 0.01 --iterations 500 \\
        --batch-size 4 --scale 0.75 1.5 --crop 240 320 --out runs/mine
"""

from __future__ import annotations

import argparse

import fcnlite
from fcnlite import data, models, surgery
from fcnlite.description.model_info import ModelInfo
from fcnlite.segmentation.evaluation import evaluate


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("weights", help="initial weights: of a VGG-16 or lite net of the zoo")
    parser.add_argument("folder", help="the folder with pictures and labels")
    parser.add_argument("out", help="the weight file to write")
    parser.add_argument("--iterations", type=int, default=500)
    parser.add_argument("--crop", type=int, nargs=2, default=[240, 320], metavar=("HEIGHT", "WIDTH"))
    given = parser.parse_args(arguments)
    train, val = (data.open("folder", given.folder, split) for split in ("train", "val"))

    # The same net for other classes: copies the weights with equal names and shapes; new score layers start at zero.
    trained = fcnlite.load(given.weights)
    width = trained.params["conv1_1"][0].shape[0] / 64
    name, count = trained.spec.name, len(train.classes)
    net = models.build(name, classes=count, width=width, normalization="VALID", phase="TRAIN")
    weights = {layer: [each.array for each in group] for layer, group in trained.params.items()}
    for transfer in surgery.transplant(net, weights):
        if transfer.outcome != "taken":
            print(transfer)
    net.info = ModelInfo(trained.info.preprocessing, train.classes, train.colors)

    augment = data.Augment(flip=True, scale=(0.75, 1.5), crop=tuple(given.crop))
    loader = data.Loader(train, batch_size=4, preprocessing=net.info.preprocessing, augment=augment)
    solver = fcnlite.AdamW(net, base_lr=3e-4, lr_policy="poly", max_iter=given.iterations, weight_decay=0.01)
    for iteration, batch in zip(range(given.iterations), loader.batches(), strict=False):
        loss = solver.step(batch)
        if iteration % 20 == 0:
            print(f"iteration {iteration}: loss {loss:.4f}", flush=True)
    net.save(given.out)
    print(f"mean IU on the {len(val)} validation pictures: {evaluate(net.share('TEST'), val).mean_iu:.3f}")


if __name__ == "__main__":
    main()
