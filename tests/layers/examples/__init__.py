"""Strategies that draw an example of each layer type: options, shapes and values for the common tests.

A registered type without an entry in `EXAMPLES` fails the common tests.
"""

from __future__ import annotations

from hypothesis import strategies as st

from fcnlite.arrays import Array
from tests.layers.examples.elementwise import bias, clip, dropout, elementwise, eltwise, positive, prelu, relu, scale
from tests.layers.examples.example import Example, input_layer
from tests.layers.examples.forks import (
    axpy,
    bn,
    interp,
    mean_field,
    normalize,
    permute,
    shuffle_channel,
    uneven_pooling,
    unpooling,
    upsample,
)
from tests.layers.examples.normalization import batch_norm, lrn, mvn
from tests.layers.examples.scores import (
    accuracy,
    argmax,
    euclidean_loss,
    hinge_loss,
    infogain_loss,
    inner_product,
    multinomial_logistic_loss,
    parameter,
    sigmoid_loss,
    softmax,
    softmax_loss,
)
from tests.layers.examples.shaping import concat, crop, flatten, reduction, reshape, slice_, split, tile
from tests.layers.examples.windows import convolution, deconvolution, im2col, pooling, spp

__all__ = ["EXAMPLES", "Array", "Example", "input_layer"]

EXAMPLES: dict[str, st.SearchStrategy[Example]] = {
    "AbsVal": elementwise("AbsVal", {}),
    "Accuracy": accuracy(),
    "ArgMax": argmax(),
    "Axpy": axpy(),
    "BN": bn(),
    "BNLL": elementwise("BNLL", {}),
    "BatchNorm": batch_norm(),
    "Bias": bias(),
    "Clip": clip(),
    "Concat": concat(),
    "Convolution": convolution(),
    "Crop": crop(),
    "Deconvolution": deconvolution(),
    "Dropout": dropout(),
    "ELU": elementwise("ELU", {"alpha": 0.5}),
    "Eltwise": eltwise(),
    "EuclideanLoss": euclidean_loss(),
    "Exp": elementwise("Exp", {"base": 2.0, "scale": -0.5, "shift": 1.5}),
    "Flatten": flatten(),
    "HingeLoss": hinge_loss(),
    "Im2col": im2col(),
    "InfogainLoss": infogain_loss(),
    "InnerProduct": inner_product(),
    "Interp": interp(),
    "LRN": lrn(),
    "Log": positive("Log", "base", [2.0, 0.5]),
    "MVN": mvn(),
    "MultiStageMeanfield": mean_field(),
    "MultinomialLogisticLoss": multinomial_logistic_loss(),
    "Normalize": normalize(),
    "PReLU": prelu(),
    "Parameter": parameter(),
    "Permute": permute(),
    "Pooling": pooling(),
    "Power": positive("Power", "power", [0.0, 0.5, 2.0, -1.0]),
    "ReLU": relu(),
    "ReLU6": elementwise("ReLU6", {}),
    "Reduction": reduction(),
    "Reshape": reshape(),
    "SPP": spp(),
    "Scale": scale(),
    "ShuffleChannel": shuffle_channel(),
    "Sigmoid": elementwise("Sigmoid", {}),
    "SigmoidCrossEntropyLoss": sigmoid_loss(),
    "Slice": slice_(),
    "Softmax": softmax(),
    "SoftmaxWithLoss": softmax_loss(),
    "Split": split(),
    "Swish": elementwise("Swish", {"beta": 0.7}),
    "TanH": elementwise("TanH", {}),
    "Threshold": elementwise("Threshold", {"threshold": 0.5}),
    "Tile": tile(),
    "UnevenPooling": uneven_pooling(),
    "Unpooling": unpooling(),
    "Upsample": upsample(),
}
"""All types except inputs and Silence, which do not compute anything."""
