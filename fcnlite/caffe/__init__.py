"""Caffe's files: nets and solvers as prototxt, weights as caffemodel (V2), single blobs as binaryproto.

These functions exchange specs (`fcnlite.spec`) and arrays and know no Net. Protobuf is imported at the first
use, not with the package.
"""

from fcnlite.caffe.blobs import read_blob
from fcnlite.caffe.caffemodel import read_weights, write_weights
from fcnlite.caffe.prototxt import parse_net, parse_solver, read_net, read_solver, write_net

__all__ = [
    "parse_net",
    "parse_solver",
    "read_blob",
    "read_net",
    "read_solver",
    "read_weights",
    "write_net",
    "write_weights",
]
