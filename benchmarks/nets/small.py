"""Small nets: SqueezeNet 1.1 (Iandola et al., 2016), and MTCNN's proposal net, det1 (Zhang et al., 2016)."""

from __future__ import annotations

from benchmarks.nets.parts import convolution
from fcnlite.description.spec import NetSpec
from fcnlite.models.builder import Builder

FIRES = {2: 16, 3: 16, 4: 32, 5: 32, 6: 48, 7: 48, 8: 64, 9: 64}
"""The squeezed channels of each fire; it has eight times as many outputs."""


def squeezenet(classes: int) -> NetSpec:
    """From 227×227 pixels to the scores, `score`."""
    net = Builder("squeezenet-1.1")
    bottom = convolution(net, "conv1", net.input("data", 1, 3, 227, 227), 64, stride=2, pad=False)
    bottom = net.pool("pool1", net.relu("relu_conv1", bottom), 3, 2)
    for i, squeezed in FIRES.items():
        name = f"fire{i}"
        bottom = net.relu(f"{name}/relu", convolution(net, f"{name}/squeeze", bottom, squeezed, (1, 1)))
        parts = [
            net.relu(f"{name}/relu{size}", convolution(net, f"{name}/expand{size}", bottom, 4 * squeezed, (size, size)))
            for size in (1, 3)
        ]
        bottom = net.add(f"{name}/concat", "Concat", parts)
        if i in (3, 5):
            bottom = net.pool(f"pool{i}", bottom, 3, 2)
    bottom = net.relu("relu_score", net.convolution("score_map", bottom, classes, 1))
    net.add("score", "Pooling", bottom, pool="AVE", global_pooling=True)
    return net.spec()


def det1(classes: int) -> NetSpec:
    """From 12×12 pixels or more to boxes, `conv4-2`, and the probabilities of a face, `prob1`."""
    net = Builder("det1")
    bottom = net.input("data", 1, 3, 12, 12)
    for i, count in ((1, 10), (2, 16), (3, 32)):
        bottom = convolution(net, f"conv{i}", bottom, count, pad=False)
        bottom = net.add(f"PReLU{i}", "PReLU", bottom, top=bottom)
        if i == 1:
            bottom = net.pool("pool1", bottom, 2, 2)
    scores = convolution(net, "conv4-1", bottom, 2, (1, 1))
    convolution(net, "conv4-2", bottom, 4, (1, 1))
    net.add("prob1", "Softmax", scores)
    return net.spec()
