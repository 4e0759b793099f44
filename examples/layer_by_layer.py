"""The engine layer by layer: build a small net, run it forward and backward, and check one gradient numerically.

python examples/layer_by_layer.py
"""

from __future__ import annotations

import numpy as np

from fcnlite.description.spec import LayerSpec
from fcnlite.layers import ForwardRun, create
from fcnlite.models.builder import Builder
from fcnlite.net import Net


def main() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1, 3, 12, 16))  # N×C×H×W

    # A single layer: `forward` returns the tops, and stores in `run` what `backward` needs.
    pool = create(LayerSpec("pool", "Pooling", ("x",), ("y",), {"pool": "MAX", "kernel_size": 2, "stride": 2}), "TRAIN")
    run = ForwardRun(params=[])
    (y,) = pool.forward([x], run)
    (dx,) = pool.backward([np.ones_like(y)], run.backward(pool, [x], [y]))
    print(f"{pool.type}: {x.shape} → {y.shape}; {np.count_nonzero(dx)} of {dx.size} inputs got a gradient")

    # A net is a list of layers, described as data. It runs on pictures of any size.
    net_of = Builder("tiny")
    data, label = net_of.input("data", 1, 3, 32, 32), net_of.input("label", 1, 1, 32, 32)
    conv = net_of.relu("relu", net_of.convolution("conv", data, 8, 3, pad=1, weight_filler={"type": "msra"}))
    coarse = net_of.score("score_coarse", net_of.pool("pool", conv, 2, 2), 2)
    whole = net_of.upsample("score_up", coarse, 2, 2, kernel_size=2)
    net_of.loss("loss", net_of.crop("score", whole, data), label, "VALID")
    net = Net(net_of.spec(), phase="TRAIN", path="plain", dtype="float64")
    net.params["score_coarse"][0].data = rng.normal(size=net.params["score_coarse"][0].shape)
    net.params["score_up"][0].data = np.eye(2)[:, :, None, None] * np.ones((2, 2))  # repeats every score
    truth = rng.integers(0, 2, (1, 1, 12, 16))
    for layer, bottoms, tops in net.shapes({"data": x.shape, "label": truth.shape}):
        print(f"  {layer.spec.name:12} {layer.type:16} {bottoms} → {tops}")

    net.forward(data=x, label=truth, keep=True)
    print(f"loss {net.loss:.6f}; blobs kept: {', '.join(net.blobs)}")
    net.backward(wrt=["pool"])
    print(f"gradient of pool: {net.grads['pool'].shape}, of conv's weights: {net.params['conv'][0].grad.shape}")

    # The two would differ if the step moved an input of ReLU across 0, where it has no slope. That is likely in a pad
    # if the biases are 0, since every sum there is the bias.
    weight, step, place = net.params["conv"][0], 1e-6, (0, 1, 2, 2)
    losses = []
    for sign in (1, -2):  # up by a step, then down by two
        weight.data[place] += sign * step
        losses.append(float(net.forward(data=x, label=truth)["loss"]))
    print(f"its value at {place}: {weight.grad[place]:.9f}; measured: {(losses[0] - losses[1]) / (2 * step):.9f}")


if __name__ == "__main__":
    main()
