"""Files: weight files of fcnlite, Caffe, ONNX, Keras, torchvision. They exchange descriptions and arrays."""
