"""A net: its description, its parameters, forward and backward.

`Net` checks and converts the inputs, prepares a run (`PreparedRun`: the layers that run, and the shapes of their blobs)
for each combination of input shapes, outputs and `keep`, and gives it to one of two executors. The reference path
(engine/reference.py) runs layer by layer, the fast path (compiler/executor.py) a plan compiled from the prepared run.
Both read and write the same `State`.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Container, Iterable, Mapping, Sequence, Set
from contextlib import nullcontext
from typing import Any

import numpy as np
import numpy.typing as npt

from fcnlite.arrays import Array, Shape
from fcnlite.compiler.executor import FastPath
from fcnlite.compiler.plan import Plan
from fcnlite.description.model_info import ModelInfo
from fcnlite.description.spec import PHASES, NetSpec
from fcnlite.engine import inputs as arrays
from fcnlite.engine.backprop import Backprop, Pass, Timer, first_nonfinite
from fcnlite.engine.loaded import LoadedWeights
from fcnlite.engine.parameter import Parameter, Parameters, make_parameters
from fcnlite.engine.reference import ReferencePath
from fcnlite.engine.state import State
from fcnlite.errors import FcnliteError, ShapeError, SpecError, UnknownNameError, nearest
from fcnlite.graph import outline, sizing
from fcnlite.graph.preparation import Kept, PreparedRun, prepare
from fcnlite.graph.schedule import Schedule
from fcnlite.layers.base import Layer
from fcnlite.layers.registry import create
from fcnlite.threads import Turns, blas_alone, in_turn

PATHS = ("fast", "plain")
DTYPES = ("float32", "float64")
KEPT_RUNS = 8
"""The number of prepared runs that a net caches."""


class Net:
    """A network: computes outputs and gradients.

    Several threads may call one net: their calls take turns. To compute in parallel, give each thread its own
    `share()`.

    `phase`: "TEST" or "TRAIN"; selects the layers that run and how Dropout and BatchNorm behave. `path`: "fast", the
    compiled path, or "plain", the reference path. `dtype`: "float32", or with path="plain" also "float64". `seed`:
    seeds the fillers of new parameters, and Dropout. `low_memory`: the arrays that the fast path derives from the
    parameters, such as transformed weights, take little more memory than the parameters, at the cost of speed. `info`:
    preprocessing, classes and origin of the model; `save` writes it. `shared`: parameters by layer that belong to
    another net too (see `share`).

    Raises `SpecError`, which names the layer, for an invalid description, and `ShapeError` if the described input
    shapes do not fit the layers.
    """

    def __init__(
        self,
        spec: NetSpec,
        *,
        phase: str = "TEST",
        path: str = "fast",
        dtype: str = "float32",
        seed: int = 0,
        low_memory: bool = False,
        info: ModelInfo | None = None,
        shared: Mapping[str, list[Parameter]] | None = None,
    ) -> None:
        for name, value, allowed in (("phase", phase, PHASES), ("path", path, PATHS), ("dtype", dtype, DTYPES)):
            if value not in allowed:
                raise SpecError(f"{name} is {value!r}; expected {' or '.join(allowed)}.")
        if dtype == "float64" and path != "plain":
            raise SpecError('the fast path computes in float32 only; for dtype float64, add path="plain".')
        self.spec = spec
        self.path = path
        self.low_memory = low_memory
        self.info = info or ModelInfo()
        self.state = State(phase, np.dtype(dtype), seed, params=None if shared is None else Parameters(shared))
        self.timer: Timer | None = None
        """Called after each step of a forward or backward pass."""
        self.turns = Turns()
        """The lock that each call holds, so that threads take turns; `with net.turns:` makes several calls atomic."""
        self.layers: list[Layer] = [create(each, phase) for each in spec.for_phase(phase)]
        self._inputs = frozenset(top for layer in self.layers if not layer.spec.bottom for top in layer.spec.top)
        self._loaded = LoadedWeights()
        self._forget_runs()
        declared = self._declared_shapes()
        if declared is not None:
            self._make_params(declared)

    def _forget_runs(self) -> None:
        """Set the attributes in `_NOT_COPIED` to empty ones: no prepared runs, plans, passes or callbacks."""
        fast = self.path == "fast"
        self.executor: FastPath | ReferencePath = (
            FastPath(self.state, low_memory=self.low_memory) if fast else ReferencePath(self.state)
        )
        self._prepared: dict[Any, PreparedRun] = {}
        self._last: Pass[Any] | None = None
        self._passes = 0
        """The number of forward passes so far."""
        self._kept_here = threading.local()
        """`number`: the number of this thread's last forward pass if that kept something, else unset."""
        self._grads: dict[str, Array] = {}
        self._when_sized: list[Callable[[Set[str]], None]] = []

    @in_turn
    def __getstate__(self) -> dict[str, Any]:
        """The attributes to copy or pickle: all except prepared runs, plans and the results of passes.

        Raises `FcnliteError` while loaded weights wait for layers that have no parameters yet: a copy would lose them.
        """
        if self._when_sized and any(
            type(layer).params is not Layer.params and not self.state.of(layer.spec.name) for layer in self.layers
        ):
            raise FcnliteError(
                "a net with loaded weights cannot be copied or pickled before all of its layers have parameters: the "
                "weights of the others would be lost; call forward with all inputs first, or load the net again."
            )
        return {name: value for name, value in self.__dict__.items() if name not in _NOT_COPIED}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._forget_runs()

    @property
    def phase(self) -> str:
        """TEST or TRAIN."""
        return self.state.phase

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of all blobs and parameters."""
        return self.state.dtype

    @property
    def seed(self) -> int:
        """The seed of the fillers and of Dropout."""
        return self.state.seed

    @property
    def iteration(self) -> int:
        """The number of forward passes with `keep` in phase TRAIN so far; Dropout's random numbers depend on it.

        A solver sets it before each pass, from its own iteration.
        """
        return self.state.iteration

    @iteration.setter
    def iteration(self, iteration: int) -> None:
        self.state.iteration = iteration

    def layer(self, name: str) -> Layer:
        """The layer with this name. Raises `UnknownNameError`, which lists similar names."""
        found = next((each for each in self.layers if each.spec.name == name), None)
        if found is not None:
            return found
        if any(each.name == name for each in self.spec.layers):
            raise UnknownNameError(f"layer {name!r} does not run in this net's phase, {self.phase}.")
        raise UnknownNameError(f"no layer is called {name!r}; {nearest(str(name), (e.spec.name for e in self.layers))}")

    # Parameters

    @property
    def sized(self) -> bool:
        """Whether parameters have been made; if the description lacks input shapes, the first forward makes them."""
        return self.state.params is not None

    @property
    def params(self) -> Parameters:
        """[weight, bias, ...] by layer name, for the layers with parameters."""
        if self.state.params is None:
            unknown = [top for layer in self.layers if not layer.spec.bottom for top in layer.spec.top]
            raise ShapeError(
                f"the description gives no shape for the inputs {', '.join(unknown)}, so parameters have no sizes "
                "before the first forward; add `input_param { shape { dim: ... } }`, or call forward first."
            )
        return self.state.params

    @in_turn
    def changed(self) -> None:
        """Mark all parameters as changed: call it after writing to arrays that `Parameter.data` returned earlier."""
        for parameters in self.params.values():
            for parameter in parameters:
                parameter.changed()

    def learnable(self) -> list[tuple[str, Parameter]]:
        """The parameters that a solver updates, each once, with a name such as `conv1_1[0]`."""
        found: dict[int, tuple[str, Parameter]] = {}
        for layer, parameters in self.params.items():
            for i, parameter in enumerate(parameters):
                if parameter.lr_mult:
                    found.setdefault(id(parameter), (f"{layer}[{i}]", parameter))
        return list(found.values())

    def share(self, phase: str = "TEST", *, params: Mapping[str, list[Parameter]] | None = None) -> Net:
        """Another net with the same parameters, for validation during training or for another thread.

        Nets that share parameters can compute in parallel, one in each thread. They also share the gradients of the
        parameters, so their calls of `backward` and `Solver.step` take turns. A forward pass during another net's step
        may read some parameters before the step and some after it. To train a net independently, copy it with
        `copy.deepcopy`. `params`: parameters by layer to use instead, such as averages.
        """
        other = Net(
            self.spec,
            phase=phase,
            path=self.path,
            dtype=self.dtype.name,
            seed=self.seed,
            low_memory=self.low_memory,
            info=self.info,
            shared=self.params if params is None else params,
        )
        other._loaded = self._loaded
        other.state.learning = self.state.learning
        return other

    @in_turn
    def save(self, path: str | os.PathLike[str], *, info: ModelInfo | None = None, dtype: str | None = None) -> None:
        """Write a self-contained weight file (HDF5): description, parameters, and `info` (default: the net's own).

        `dtype="float16"` stores learned parameters in half the space, rounded by at most 2⁻¹¹ of their values; loading
        converts them to float32. BatchNorm's statistics, which float16 may not hold, stay as they are. The default is
        the net's own type.

        Raises `FileError` if the file cannot be written, and `SpecError` if it would lack loaded weights or if float16
        does not hold a value.
        """
        from fcnlite.formats import storage

        if dtype not in (None, "float16"):
            raise SpecError(f"dtype is {dtype!r}; expected 'float16', or None for the type of the net.")
        self.check_complete(path)
        arrays = {
            name: [
                each.array if dtype is None or each.statistic else storage.as_float16(each.array, name)
                for each in parameters
            ]
            for name, parameters in self.params.items()
        }
        storage.save(path, storage.WeightFile(self.spec, arrays, info or self.info))

    def loaded(self, layers: Iterable[str], origin: str | os.PathLike[str]) -> None:
        """Record that the file `origin` holds weights for these layers.

        While they wait for layers without parameters, `save` raises an error instead of losing them.
        """
        self._loaded.note(layers, origin)

    def check_complete(self, target: str | os.PathLike[str], layers: Container[str] | None = None) -> None:
        """Raise `SpecError` if the file `target` would lack loaded weights because their layers have no parameters.

        `layers`: the layers that the file is to hold (default: all).
        """
        self._loaded.check_complete(self.layers, self.state.params or (), target, layers)

    def _declared_shapes(self) -> dict[str, Shape] | None:
        """The inputs' shapes by name, as described; None if the description lacks one."""
        shapes: dict[str, Shape] = {}
        for layer in self.layers:
            if not layer.spec.bottom:
                described = layer.top_shapes()
                if not described:
                    return None
                shapes.update(zip(layer.spec.top, described, strict=True))
        return shapes

    def _make_params(self, fed: Mapping[str, Shape]) -> None:
        """Make the missing parameters of all layers that run on inputs of the shapes `fed`."""
        schedule = Schedule.make(self.layers, frozenset(fed), (), keep=True)
        shapes = sizing.infer(schedule, fed, self.dtype.itemsize)
        wanted = [(step.layer, sizing.wanted(step, shapes)) for step in schedule.steps]
        self._loaded.note_sized(layer.spec.name for layer, _ in wanted)
        existing: Mapping[str, list[Parameter]] = self.state.params or {}
        owners: dict[str, Parameter] = {}
        for layer in self.layers:
            for spec, parameter in zip(layer.spec.param, existing.get(layer.spec.name, ()), strict=False):
                if spec.name:
                    owners.setdefault(spec.name, parameter)
        made = make_parameters(wanted, existing, owners, self.dtype, self.seed)
        self.state.params = Parameters({**existing, **made})
        if new := made.keys() - existing.keys():
            for call in self._when_sized:
                call(new)

    @in_turn
    def when_sized(self, call: Callable[[Set[str]], None]) -> None:
        """Call `call` with the names of the layers that have parameters: now, and later with those that get some."""
        self._when_sized.append(call)
        if self.state.params:
            call(self.state.params.keys())

    # Forward

    @in_turn
    def forward(
        self,
        inputs: Mapping[str, Any] | npt.ArrayLike | None = None,
        /,
        *,
        outputs: Sequence[str] | None = None,
        keep: bool | Sequence[str] = False,
        **blobs: Any,
    ) -> dict[str, Array]:
        """Run the net on the inputs. Returns the output blobs by name; the arrays belong to the caller.

        Inputs are numeric arrays by blob name: pictures N×C×H×W of any height and width, which may differ from call to
        call, and labels N×1×H×W or N×H×W. Names that are not identifiers need a mapping, `forward({name: array})`; a
        net with one picture input takes it without a name. A layer runs only if its inputs are given. `outputs`: any
        blobs by name; by default the tops that no layer reads (`score` without a label, `loss` with one).

        `keep=True` keeps what `blobs` and the gradients of parameters and inputs need, until the next forward. If
        another thread calls forward in between, `backward` and `blobs` raise an error. `keep=["pool3"]` also keeps what
        the gradients of the named blobs need. Without names, the fast path may compute and store equal rows of a blob,
        which a wide pad causes, only once; the gradient of such a blob is not available.

        Raises `SpecError` for an unknown name, `ShapeError` if shapes do not fit, `DataError` for labels that are not
        classes.
        """
        feeds = arrays.converted(self._inputs, arrays.inputs_by_name(self.layers, inputs, blobs), self.dtype)
        kept = Kept.parse(keep)
        if kept.backward:
            # The caller may reuse the arrays before backward reads them.
            feeds = {name: array.copy() for name, array in feeds.items()}
        run = self._prepare({name: array.shape for name, array in feeds.items()}, outputs, kept)
        self._last = None
        self._passes += 1
        self._kept_here.__dict__.clear()
        with np.errstate(all="ignore"), self.state.learning if run.updates_params else nullcontext():
            result, last = self.executor.forward(run, feeds, self.timer)
        if kept.backward:
            self._last = last
            self._kept_here.number = self._passes
            if self.phase == "TRAIN":
                self.iteration += 1
        return result

    def __call__(
        self, inputs: Mapping[str, Any] | npt.ArrayLike | None = None, /, **arguments: Any
    ) -> dict[str, Array]:
        """`forward`, with the same arguments."""
        return self.forward(inputs, **arguments)

    def _prepare(self, fed: Mapping[str, Shape], outputs: Sequence[str] | None, kept: Kept) -> PreparedRun:
        """The prepared run for these input shapes, outputs and `kept`, cached or new. Also makes missing parameters."""
        key = tuple(sorted(fed.items())), None if outputs is None else tuple(outputs), kept
        run = self._prepared.get(key)
        if run is None:
            run = prepare(self.layers, fed, key[1], kept, self.dtype.itemsize)
            if any(
                sizing.wanted(step, run.shapes) and not self.state.of(step.layer.spec.name)
                for step in run.schedule.steps
            ):
                self._make_params(fed)
            elif self.state.params is None:
                self.state.params = Parameters()
            sizing.check_parameters(run.schedule, run.shapes, self.params)
            while len(self._prepared) >= KEPT_RUNS:
                del self._prepared[next(iter(self._prepared))]
            self._prepared[key] = run
        return run

    @in_turn
    def plan(self, fed: Mapping[str, Shape], outputs: Sequence[str] | None = None) -> Plan:
        """The fast path's plan for inference on inputs of these shapes. Raises as `forward` does."""
        return self._fast_path().plan(self._prepare(fed, outputs, Kept(False)))

    @in_turn
    def listings(
        self, fed: Mapping[str, Shape], outputs: Sequence[str] | None = None, *, keep: bool = False
    ) -> dict[str, list[str]]:
        """The fast path's operations, a line for each, before the compiler's first pass, under "", and after each pass.

        `fed`: the shapes of the inputs. `keep`: for a forward pass that backward may follow. Raises as `forward` does.
        """
        return self._fast_path().listings(self._prepare(fed, outputs, Kept(keep)))

    def _fast_path(self) -> FastPath:
        """The executor, or for a net on the reference path a new one."""
        if isinstance(self.executor, FastPath):
            return self.executor
        return FastPath(self.state, low_memory=self.low_memory)

    @in_turn
    def shapes(self, fed: Mapping[str, Shape]) -> list[tuple[Layer, list[Shape], list[Shape]]]:
        """The layers that run on inputs of these shapes, each with the shapes of its bottoms and tops."""
        schedule = Schedule.make(self.layers, frozenset(fed), None, keep=True)
        shapes = sizing.infer(schedule, fed, self.dtype.itemsize)
        return [
            (step.layer, [shapes[version] for version in step.bottom], [shapes[version] for version in step.top])
            for step in schedule.steps
        ]

    # After forward with keep=True

    @property
    @in_turn
    def blobs(self) -> dict[str, Array]:
        """The blobs of the last `forward(keep=True)`, by name. A blob written in place has its last value."""
        last = self._kept()
        return {name: last.values[version] for name, version in last.schedule.last.items()}

    @property
    @in_turn
    def loss(self) -> float:
        """The weighted sum of the losses of the last `forward(keep=True)`."""
        last = self._kept()
        return float(sum(weight * last.values[version].sum() for version, weight in last.schedule.losses.items()))

    @property
    @in_turn
    def grads(self) -> dict[str, Array]:
        """The gradients that the last `backward` computed, by blob: of its `wrt`, and of inputs if `force_backward`."""
        self._check_turn()
        return self._grads

    def _check_turn(self) -> None:
        """Raise `FcnliteError` if another thread's forward has replaced the pass that this thread kept."""
        if getattr(self._kept_here, "number", self._passes) != self._passes:
            raise FcnliteError(
                "another thread has called forward since this thread's forward(keep=True) and replaced what that kept; "
                "give each thread its own net, net.share(), or hold net.turns from forward to backward."
            )

    def _kept(self) -> Pass[Any]:
        self._check_turn()
        if self._last is None:
            raise FcnliteError("no forward pass was kept; call forward(..., keep=True) first.")
        return self._last

    @in_turn
    def backward(
        self,
        tops: Mapping[str, Any] | None = None,
        /,
        *,
        wrt: Iterable[str] = (),
        accumulate: bool = False,
        frozen: bool = False,
        final: Callable[[Parameter], None] | None = None,
        **dtops: Any,
    ) -> None:
        """Compute gradients for the last `forward(keep=True)`, into `params[...].grad` and `grads`.

        Without arguments, propagates the gradients of the summed, weighted losses. With gradients of blobs by name,
        propagates only those. `wrt`: blobs whose gradients go to `grads`. `accumulate`: add to the parameters'
        gradients instead of overwriting them. `frozen`: also compute the gradients of parameters with an lr_mult of 0,
        which are zero otherwise (Caffe does so for nets with force_backward). `final`: called with each parameter as
        soon as its gradient is complete, before those of the layers below it. Any thread may call this.

        Raises `FcnliteError` if no pass was kept, or if another thread's forward has replaced the one that this thread
        kept. It is also raised if `wrt` names a blob that forward did not keep in full; name the blob in `keep` too.
        """
        last = self._kept()
        targets = {name: last.schedule.version(name) for name in wrt}
        for name, version in targets.items():
            if not last.in_full(version):
                raise FcnliteError(
                    f"the gradient of {name!r} needs all rows of the blob, but forward computed the rows that a wide "
                    f"pad makes equal only once; call forward(..., keep=[{name!r}])."
                )
        if self.spec.force_backward:
            targets.update(last.schedule.inputs)
        seeds = arrays.seeds(last, {**(tops or {}), **dtops}, self.dtype)
        backprop = Backprop(last, self.state, accumulate=accumulate, frozen=frozen, timer=self.timer, final=final)
        with np.errstate(all="ignore"), blas_alone(), self.state.learning:
            found = backprop.run(seeds, set(targets.values()))
        self._grads = {
            name: found[version].copy() if version in found else np.zeros_like(last.values[version])
            for name, version in targets.items()
        }

    @in_turn
    def find_nonfinite(self) -> str | None:
        """Describe where NaN or infinity first appears in the last `forward(keep=True)`; None if nowhere."""
        found = self.first_nonfinite()
        return None if found is None else found[1]

    @in_turn
    def first_nonfinite(self) -> tuple[int, str] | None:
        """What `find_nonfinite` describes, with the number of the step; -1 for an input."""
        return first_nonfinite(self._kept(), self.params)

    # Display

    def __repr__(self) -> str:
        """Name, phase and path, then a line for each layer: type, shape of the first top, number of parameters."""
        try:
            return outline.text(self._title(), self.layers, self.state.params)
        except Exception:  # a debugger may show a net whose constructor has not finished
            return object.__repr__(self)

    def _repr_html_(self) -> str | None:
        """The text of `repr` as an HTML table, for notebooks."""
        try:
            return outline.markup(self._title(), self.layers, self.state.params)
        except Exception:
            return None

    def _title(self) -> str:
        return f"Net {self.spec.name!r}: phase {self.phase}, {self.path} path, {self.dtype}, {len(self.layers)} layers"


_NOT_COPIED = ("executor", "_prepared", "_last", "_passes", "_kept_here", "_grads", "_when_sized")
"""Attributes that are not copied: `_forget_runs` sets them in the copy."""
