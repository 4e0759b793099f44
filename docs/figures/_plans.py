"""Graphs and plans of the paper's FCN-8s in its full width. No number is computed, so none of its memory is touched."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from fcnlite import config, models, surgery
from fcnlite.compiler import Plan, graph_of, rewrite
from fcnlite.compiler.convolution.operation import ConvolutionOperation
from fcnlite.compiler.ir import Graph, Operation
from fcnlite.compiler.operations.thin_winograd import ThinWinograd
from fcnlite.graph.preparation import Kept, prepare
from fcnlite.net import Net

FED = {"data": (1, 3, 500, 500)}


@cache
def fcn8s() -> Net:
    net = Net(models.describe("voc-fcn8s"))
    surgery.interp(net)
    return net


@cache
def plan(threads: int = 1) -> Plan:
    before = config.num_threads()
    config.set_num_threads(threads)
    try:
        return fcn8s().plan(FED)
    finally:
        config.set_num_threads(before)


def rewritten(net: Net) -> Iterator[tuple[str, Graph]]:
    """The graph of a net before the first pass, named "", and after each pass: always the same object."""
    prepared = prepare(net.layers, FED, None, Kept(False), 4)
    graph = graph_of(prepared.schedule, prepared.shapes, training=False)
    yield "", graph
    for name, _ in rewrite(graph, plan().machine):
        yield name, graph


def convolutions(operation: Operation) -> list[ConvolutionOperation]:
    """The convolutions of one step of a plan."""
    if isinstance(operation, ThinWinograd):
        return [operation.first, operation.second]
    return [operation] if isinstance(operation, ConvolutionOperation) else []
