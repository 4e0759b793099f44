"""Training of segmentation nets on labelled pictures: `python -m fcnlite.train`.

From Python:

    folder = RunFolder(Path("runs/first"))
    with folder.claimed():
        train(TrainingPlan.begin(folder, [TrainOptions(data="folder", root="photos")]))

The modules form a line: `options` (from `recipes` or by hand), `plan`, `preparation`, `run`, `loop`, `results`;
`training` calls them in this order. `TrainingPlan.resume(folder, {})` continues a run from its checkpoint.
"""
