"""The loss of every pixel of a scene, and the gradient of one class's scores."""

from __future__ import annotations

import numpy as np
from _drawing import Drawing
from _scene import colored, diverging, scene

from fcnlite import layers


def draw() -> str:
    net, picture, label = scene()
    scores = net.blobs["score"]
    loss = layers.apply("SoftmaxWithLoss", scores, label[None], ignore_label=255, normalization="NONE", tops=2)
    void = label == 255
    p = np.take_along_axis(loss.tops[1][0], np.where(void, 0, label)[None].astype(int), 0)[0]
    p[void] = 1
    gradients = loss.backward()[0][0]
    shown = int(np.abs(gradients).sum((1, 2)).argmax())
    gradient = gradients[shown]
    height, width = label.shape
    w = 190
    h = w * height / width
    drawing = Drawing(400, 2 * h + 60)
    gray = np.repeat((np.clip(-np.log(p) / 4, 0, 1) * 255).astype(np.uint8)[..., None], 3, axis=2)
    for place, (words, pixels) in enumerate(
        (
            ("the picture", picture),
            ("the labels", colored(label, net)),
            ("−log p: black 0, white ≥ 4", gray),
            (f"gradient for “{net.info.classes[shown]}”", diverging(gradient, 1)),
        )
    ):
        x, y = 6 + 198 * (place % 2), 4 + (h + 26) * (place // 2)
        drawing.picture(x, y, w, h, pixels)
        drawing.text(x + w / 2, y + h + 15, words)
    return drawing.svg()
