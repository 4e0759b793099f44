"""Exchange with other tools: writes nets as ONNX, reads the VGG-16 weights of Keras and torchvision."""

from fcnlite.formats.interop import keras, torchvision
from fcnlite.formats.interop.onnx.saving import save_onnx

__all__ = ["keras", "save_onnx", "torchvision"]
