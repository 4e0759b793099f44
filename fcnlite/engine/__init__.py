"""How a net computes layer by layer: parameters, the reference path, backpropagation."""
