"""The functions that the page calls, by name: each takes JSON values and arrays, and returns such.

    session       what is open: the model and the picture
    model         a net as the explorer uses it: every value by the layer that makes it
    uploads       a dropped file as a file in memory, for the readers of `fcnlite.data`
    segmentation  labels, probabilities, entropy, time by layer
    graph, layout the net as a drawing
    layer         activations, filters, histograms, gradients, formula, options, source
    pixel         receptive fields, gradients of a class's score, what each skip adds
    number        how one value of a layer is computed
    skips         the scores cut after each skip; kernels of the upsampling

Every number comes from the engine, by its public interface.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from fcnlite._cli.imports import import_all
from fcnlite.config import set_num_threads
from fcnlite.explore.inference import graph, layer, number, pixel, segmentation, session, skips

_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "state": session.state,
    "choose": session.choose,
    "current": session.current,
    "sample": session.sample,
    "upload": session.upload,
    "truth": session.truth,
    "resize": session.resize,
    "segment": segmentation.segment,
    "entropy": segmentation.entropy,
    "probabilities": segmentation.probabilities,
    "graph": graph.graph,
    "describe": layer.describe,
    "activations": layer.activations,
    "plane": layer.plane,
    "filters": layer.filters,
    "gradients": layer.gradients,
    "field": pixel.field,
    "why": pixel.why,
    "contributions": pixel.contributions,
    "number": number.number,
    "cuts": skips.cuts,
    "kernels": skips.kernels,
}


def functions(
    net: str | None = None,
    weights: str | None = None,
    preprocessing: Mapping[str, Any] | None = None,
    threads: int | None = None,
    imports: list[str] | None = None,
) -> dict[str, Callable[..., Any]]:
    """The functions on a new session. The arguments are those of the command; without `net`, on the shipped weights."""
    import_all(imports or [])
    if threads is not None:
        set_num_threads(threads)
    made = session.Session(net, weights, preprocessing or {})
    return {name: functools.partial(function, made) for name, function in _FUNCTIONS.items()}
