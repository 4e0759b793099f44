"""File formats: weight files of fcnlite, Caffe, ONNX, Keras and torchvision.

Readers return descriptions and arrays, and writers take them; none imports `Net`.
"""
