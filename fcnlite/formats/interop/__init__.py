"""Nets for other tools: ONNX. Weights from other tools: VGG-16 of Keras and torchvision."""

from fcnlite.formats.interop import keras, torchvision
from fcnlite.formats.interop.onnx.saving import save_onnx

__all__ = ["keras", "save_onnx", "torchvision"]
