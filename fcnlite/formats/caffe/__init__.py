"""Caffe's files: nets and solvers as prototxt, weights as caffemodel, solver states, single blobs as binaryproto.

These functions exchange specs (`description.spec`) and arrays and do not import `Net`. Protobuf is imported at the
first use.
"""

from fcnlite.formats.caffe.blobs import read_blob
from fcnlite.formats.caffe.bn_variants import with_bn_variants
from fcnlite.formats.caffe.caffemodel import read_weights
from fcnlite.formats.caffe.data_source import DataSource, data_source
from fcnlite.formats.caffe.nvidia_batch_norm import scale_of, split_scales, with_scales
from fcnlite.formats.caffe.preprocessing import Feeding, feeding, mean_of
from fcnlite.formats.caffe.prototxt import parse_net, parse_solver, read_net, read_solver, write_net
from fcnlite.formats.caffe.saving import save
from fcnlite.formats.caffe.solverstate import SolverState, read_solver_state
from fcnlite.formats.caffe.training_data import TrainingData, training_data
from fcnlite.formats.caffe.writing import write_weights

__all__ = [
    "DataSource",
    "Feeding",
    "SolverState",
    "TrainingData",
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
    "training_data",
    "with_bn_variants",
    "with_scales",
    "write_net",
    "write_weights",
]
