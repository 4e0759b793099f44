"""Nets for other tools: ONNX. Weights from other tools: VGG-16 of Keras and torchvision."""

from fcnlite.interop import keras, torchvision
from fcnlite.interop.onnx import save_onnx

__all__ = ["keras", "save_onnx", "torchvision"]
