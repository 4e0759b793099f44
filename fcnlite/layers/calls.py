"""Calls layers and checks what they return.

For all layers, the types, number and shapes of the returned arrays are checked, which takes microseconds. For users'
layers, whose class is not in this package, two more errors are caught: writing to arrays that may only be read, and
leaving numbers of a parameter's gradient unwritten.
"""

from __future__ import annotations

import operator
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fcnlite.arrays import Array, Shape
from fcnlite.description.shapes import show
from fcnlite.errors import ShapeError, SpecError, brief
from fcnlite.layers.base import BackwardRun, ForwardRun, Layer, ParamShape, named

_PACKAGE = __name__.rpartition(".")[0] + "."
_UNWRITTEN = {4: 0x7FC0F17E, 8: 0x7FF80000F17EF17E}
"""By the bytes of a float: the bits of a NaN that no computation produces. Sums with it keep these bits."""


def is_user_defined(layer: Layer) -> bool:
    """Whether the layer's class is a user's, not from this package."""
    return not type(layer).__module__.startswith(_PACKAGE)


def top_shapes(layer: Layer, *bottom: Shape) -> list[Shape]:
    """The shapes of the tops by the layer's `top_shapes`, as tuples of integers.

    Raises `SpecError`, naming the layer, if it returns anything else, and `ShapeError` if the layer does.
    """
    count = len(layer.spec.top)
    said = layer.top_shapes(*bottom)
    try:
        shapes = [tuple(map(operator.index, each)) for each in said]
    except TypeError:
        shapes = None
    if shapes is None or isinstance(said, np.ndarray) or any(side < 0 for shape in shapes for side in shape):
        raise SpecError(
            f"{_name(layer)}: top_shapes returned {brief(repr(said), 60)}; expected a list of shapes, one for each "
            "top, such as [(1, 3, 8, 8)]."
        )
    if len(shapes) != count:
        raise SpecError(f"{_name(layer)}: top_shapes returned {len(shapes)} shapes for {count} tops.")
    return shapes


def params(layer: Layer, *bottom: Shape) -> list[ParamShape]:
    """The parameters that the layer has. Raises the errors of `top_shapes`."""
    wanted = layer.params(*bottom)
    if not isinstance(wanted, (list, tuple)) or not all(isinstance(each, ParamShape) for each in wanted):
        raise SpecError(
            f"{_name(layer)}: params returned {brief(repr(wanted), 60)}; expected a list of ParamShape, such as "
            "[ParamShape((bottom[0][1],))]."
        )
    return list(wanted)


def forward(layer: Layer, bottom: list[Array], run: ForwardRun) -> list[Any]:
    """Compute the tops: arrays, or NumPy scalars for tops without axes.

    Raises `SpecError` or `ShapeError`, naming the layer, if the result differs from the layer's `top_shapes`.
    """
    guarded = is_user_defined(layer) and not layer.aliases  # later layers may write to a top that is its bottom
    handed = _read_only(bottom) if guarded else bottom
    made = _called(layer, "forward", lambda: layer.forward(handed, run))
    says = [tuple(each) for each in named(layer, lambda: layer.top_shapes(*(x.shape for x in bottom)))]
    _check_list(layer, "forward", made, "top", len(says))
    for i, each in enumerate(made):
        # Integers and booleans are accepted too, such as ArgMax's places.
        _check_array(layer, "forward", f"top {i}", each, "buif", says[i] if i < len(says) else None)
    if (found := [np.shape(each) for each in made]) != says:
        shown, expected = (", ".join(map(show, each)) or "nothing" for each in (found, says))
        raise ShapeError(f"{_name(layer)}: forward made tops of shape {shown}, but top_shapes says {expected}.")
    return list(made)


def backward(layer: Layer, dtop: list[Array], run: BackwardRun) -> list[Array | None]:
    """Compute the gradients of the bottoms, and write the gradients of the parameters into `run.dparams`.

    Raises `SpecError` or `ShapeError`, naming the layer, if it returns or writes anything else.
    """
    own = is_user_defined(layer)
    given = list(run.dparams)
    handed = dtop
    if own:
        handed, run.bottom, run.top = _read_only(dtop), _read_only(run.bottom), _read_only(run.top)
        for each in given:
            if each is not None:
                _bits(each)[...] = _UNWRITTEN[each.itemsize]
        run.dparams = list(given)
    made = _called(layer, "backward", lambda: layer.backward(handed, run))
    _check_list(layer, "backward", made, "bottom", len(run.bottom_shapes))
    if len(made) != len(run.bottom_shapes):
        raise SpecError(
            f"{_name(layer)}: backward returned a list of {len(made)}; expected one array for each of the "
            f"{len(run.bottom_shapes)} bottoms, or None for one whose gradient is not wanted."
        )
    needs = [*run.needs, *[False] * (len(made) - len(run.needs))]
    for i, (each, shape, need) in enumerate(zip(made, run.bottom_shapes, needs, strict=True)):
        if each is None:
            if need:
                raise SpecError(
                    f"{_name(layer)}: backward returned None for bottom {i}, whose gradient is wanted; return it, or "
                    f"say that there is none: no_gradient = frozenset({{{i}}}) in the class, or propagate_down: false."
                )
            continue
        _check_array(layer, "backward", f"the gradient of bottom {i}", each, "f", shape)
        if np.shape(each) != shape:
            raise ShapeError(
                f"{_name(layer)}: backward returned a gradient of shape {show(np.shape(each))} for bottom {i} of shape "
                f"{show(shape)}; a gradient has the shape of its blob."
            )
    _check_dparams(layer, given, run.dparams, own)
    # A view of a read-only array would be read-only for the layers below: copy it.
    return [each if each is None or not own or _is_writable(each) else np.array(each) for each in made]


def _called(layer: Layer, method: str, call: Callable[[], Any]) -> Any:
    """Return `call()`; put the layer's name into its errors."""
    try:
        return named(layer, call)
    except (IndexError, ValueError) as error:
        if not is_user_defined(layer):
            raise
        for blob in {"bottom", "top"} - layer.backward_reads:
            if method == "backward" and f"run.{blob}" in (traceback.extract_tb(error.__traceback__)[-1].line or ""):
                raise SpecError(
                    f"{_name(layer)}: backward reads run.{blob} ({_place(error)}), which is kept only for classes that "
                    f"say so; add backward_reads = frozenset({{{blob!r}}})."
                ) from error
        if "read-only" not in str(error):
            raise
        raise SpecError(
            f"{_name(layer)}: {method} writes into an array that it may only read ({_place(error)}); make an array of "
            "its own, as `y = 2 * x` does and `x *= 2` does not."
        ) from error


def _check_list(layer: Layer, method: str, made: Any, blob: str, count: int) -> None:
    what = f"a list of {count} {'array' if count == 1 else 'arrays'}, one for each {blob}"
    if made is None:
        raise SpecError(f"{_name(layer)}: {method} returned nothing; expected {what}: end it with `return [...]`.")
    if not isinstance(made, (list, tuple)):
        found = f"an array of shape {show(made.shape)}" if isinstance(made, np.ndarray) else f"a {_kind(made)}"
        raise SpecError(f"{_name(layer)}: {method} returned {found}; expected {what}: write `return [...]`.")


def _check_array(layer: Layer, method: str, what: str, found: Any, kinds: str, shape: Shape | None) -> None:
    """Raise `SpecError` unless `found` is an array, or for shape () a number, of one of these dtype kinds."""
    number = shape == () and isinstance(found, (np.generic, float, int))
    if not isinstance(found, np.ndarray) and not number:
        raise SpecError(f"{_name(layer)}: {method} returned a {_kind(found)} for {what}; expected a NumPy array.")
    dtype = np.asarray(found).dtype
    if dtype.kind not in kinds:
        remedy = "" if dtype.kind in "OUSV" else "; convert it by .astype(np.float32), say"
        raise SpecError(f"{_name(layer)}: {method} returned {what} as {dtype}; expected float numbers{remedy}.")


def _check_dparams(layer: Layer, given: Sequence[Array | None], left: Sequence[Array | None], own: bool) -> None:
    """Raise `SpecError` unless the parameters' gradients were written into the arrays given for them."""
    if len(left) != len(given):
        raise SpecError(
            f"{_name(layer)}: backward left run.dparams with {len(left)} entries instead of {len(given)}; write into "
            "its arrays: run.dparams[0][...] = gradient."
        )
    for i, (before, after) in enumerate(zip(given, left, strict=True)):
        if before is not after:
            wanted = f"write into the one that is there: run.dparams[{i}][...] = gradient"
            if before is None:
                wanted = "it was None, which asks for no gradient: leave it so"
            raise SpecError(f"{_name(layer)}: backward put another array into run.dparams[{i}]; {wanted}.")
        if own and before is not None:
            left_out = int((_bits(before) == _UNWRITTEN[before.itemsize]).sum())
            if left_out:
                raise SpecError(
                    f"{_name(layer)}: backward wrote {before.size - left_out} of the {before.size} numbers of "
                    f"run.dparams[{i}], or added to what was there; write all of them: "
                    f"run.dparams[{i}][...] = gradient, not +=."
                )


def _read_only(arrays: Sequence[Array]) -> list[Array]:
    views = [each.view() for each in arrays]
    for each in views:
        each.flags.writeable = False
    return views


def _is_writable(array: Any) -> bool:
    return not isinstance(array, np.ndarray) or bool(array.flags.writeable)


def _bits(array: Array) -> Array:
    """A view of the floats' bits as unsigned integers."""
    return array.view(f"u{array.itemsize}")


def _name(layer: Layer) -> str:
    return f"layer {layer.spec.name!r} ({layer.type})"


def _kind(found: Any) -> str:
    return type(found).__name__


def _place(error: Exception) -> str:
    """The file and line that raised an exception."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{Path(frame.filename).name}, line {frame.lineno}"
