"""Caffe's files: nets and solvers as prototxt, weights as caffemodel, solver states, single blobs as binaryproto.

These functions exchange specs (`fcnlite.spec`) and arrays and know no Net. Protobuf is imported at the first
use, not with the package.
"""

from fcnlite.caffe.blobs import read_blob
from fcnlite.caffe.caffemodel import read_weights
from fcnlite.caffe.data_source import DataSource, data_source
from fcnlite.caffe.nvidia import scale_of, split_scales, with_scales
from fcnlite.caffe.preprocessing import Feeding, feeding, mean_of
from fcnlite.caffe.prototxt import parse_net, parse_solver, read_net, read_solver, write_net
from fcnlite.caffe.saving import save
from fcnlite.caffe.solverstate import SolverState, read_solver_state
from fcnlite.caffe.writing import write_weights

__all__ = [
    "DataSource",
    "Feeding",
    "SolverState",
    "data_source",
    "feeding",
    "mean_of",
    "parse_net",
    "parse_solver",
    "read_blob",
    "read_net",
    "read_solver",
    "read_solver_state",
    "read_weights",
    "save",
    "scale_of",
    "split_scales",
    "with_scales",
    "write_net",
    "write_weights",
]
