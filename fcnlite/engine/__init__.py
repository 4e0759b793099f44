"""The layer-by-layer computation of a net: parameters, the reference path, backpropagation."""
