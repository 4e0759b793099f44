"""Nets as ONNX files.

`sizes` infers the shapes and finds which sizes stay open, `graph` collects nodes, and `saving` writes the file. The
other modules convert layers: one function per layer type says which ONNX nodes compute it. Where ONNX has no such
layer, several nodes compute exactly what the layer does: Caffe's poolings round up and divide by clipped windows, and
its Crop takes a size from another blob.
"""

from fcnlite.formats.interop.onnx.saving import save_onnx

__all__ = ["save_onnx"]
