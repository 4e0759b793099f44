"""A net: its description, its parameters, forward and backward.

The plain path is here: layer by layer on N×C×H×W arrays. The fast path compiles the same schedule into a plan
(compiler/) and runs that. Inside, a blob that is written in place has several *versions*, one for each writing;
`Schedule` (schedule.py) turns names into versions, so that everything here is written once and read many times.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Callable, Container, Iterable, Mapping, Sequence, Set
from contextlib import nullcontext
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from fcnlite import config
from fcnlite._kernels import isa
from fcnlite.arrays import Array, Shape
from fcnlite.compiler import Arena, Machine, Outputs, Plan, compile_schedule
from fcnlite.description.shapes import show
from fcnlite.description.spec import PHASES, ModelInfo, NetSpec
from fcnlite.engine.backprop import Backprop, Pass, PlainPass, Timer, first_nonfinite
from fcnlite.engine.parameter import Parameter, Parameters, generator, make_parameters
from fcnlite.errors import FcnliteError, ShapeError, SpecError, UnknownNameError, nearest
from fcnlite.graph import outline, sizing
from fcnlite.graph.schedule import Schedule
from fcnlite.layers import calls
from fcnlite.layers.base import Layer, Run, UnknownLayer, create
from fcnlite.threads import Turns, blas_alone, in_turn

PATHS = ("fast", "plain")
DTYPES = ("float32", "float64")
KEPT_SCHEDULES = 8
"""Schedules, shape checks and plans that a net remembers."""


class Net:
    """A network that runs.

    Several threads may call one net: the calls take turns. Give each thread `share()` to compute in parallel.

    Raises `SpecError` for a description that makes no net, naming the layer, and `ShapeError` where the inputs'
    described shapes do not fit the layers.

    `phase`: "TEST" or "TRAIN", which layers run, and whether Dropout and BatchNorm do as in training. `path`: "fast",
    compiled, or "plain", layer by layer as the layers' code reads. `dtype`: "float32", or on the plain path "float64".
    `seed`: of the fillers that make the first parameters, and of Dropout. `low_memory`: have the fast path prefer
    weights near their own size to speed. `info`: what is known of the model beside its layers, as `save` writes it.
    `shared`: parameters by layer that are another net's too (see `share`).
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
            raise SpecError('dtype float64 is computed on the plain path only; add path="plain".')
        self.spec = spec
        self.phase = phase
        self.path = path
        self.dtype = np.dtype(dtype)
        self.seed = seed
        self.low_memory = low_memory
        self.info = info or ModelInfo()
        self.iteration = 0
        """Counts the training passes; with `seed` it decides what Dropout draws. Solvers set it."""
        self.timer: Timer | None = None
        """Told the seconds that each layer takes, or several together that a plan computes at once."""
        self.turns = Turns()
        """Held during each call, so that threads take turns; hold it (`with net.turns:`) to make several calls one."""
        self._learning = Turns()
        """Held while parameters, their gradients or statistics are written; nets that `share` them have one."""
        self.layers: list[Layer] = [create(each, phase) for each in spec.for_phase(phase)]
        self._params = Parameters(shared) if shared is not None else None
        self._schedules: dict[Any, Schedule] = {}
        self._checked: dict[Any, Schedule] = {}
        self._plans: dict[Any, Plan] = {}
        self._arena, self._outputs = Arena(), Outputs()
        self._prepared: dict[Any, Any] = {}
        self._last: Pass[Any] | None = None
        self._passes = 0
        """Counts the forward passes."""
        self._kept_here = threading.local()
        """`number`: which pass this thread last made with `keep`, unless it made another since."""
        self._grads: dict[str, Array] = {}
        self._when_sized: list[Callable[[Set[str]], None]] = []
        self._loaded: dict[str, str] = {}
        self._sized_layers: set[str] = set()
        declared = self._declared_shapes()
        if declared is not None:
            self._make_params(self._schedule(frozenset(declared), (), keep=True), declared)

    @in_turn
    def __getstate__(self) -> dict[str, Any]:
        """Without plans and what passes left: a copy makes its own. Raises `FcnliteError` while layers of a net with
        loaded weights wait for their sizes, since they get those weights only then.
        """
        if self._when_sized and any(
            type(layer).params is not Layer.params and layer.spec.name not in (self._params or {})
            for layer in self.layers
        ):
            raise FcnliteError(
                "a net cannot be copied or pickled before all of its layers have parameters, since the weights that "
                "were loaded for them wait for their sizes; call forward with all inputs first, or load it again."
            )
        return {name: value for name, value in self.__dict__.items() if name not in _NOT_COPIED}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, **{name: make() for name, make in _NOT_COPIED.items()})

    def layer(self, name: str) -> Layer:
        """The layer of this name. Raises `UnknownNameError`, which tells near names."""
        found = next((each for each in self.layers if each.spec.name == name), None)
        if found is not None:
            return found
        if any(each.name == name for each in self.spec.layers):
            raise UnknownNameError(f"layer {name!r} does not run in this net's phase, {self.phase}.")
        raise UnknownNameError(f"no layer is called {name!r}; {nearest(str(name), (e.spec.name for e in self.layers))}")

    # Parameters

    @property
    def sized(self) -> bool:
        """Whether there are parameters: not before the first forward where the inputs have no described shape."""
        return self._params is not None

    @property
    def params(self) -> Parameters:
        """[weight, bias, ...] by layer name, for the layers that have any."""
        if self._params is None:
            unknown = [top for layer in self.layers if _is_input(layer) for top in layer.spec.top]
            raise ShapeError(
                f"the description gives no shape for the inputs {', '.join(unknown)}, so parameters have no sizes "
                "before the first forward; add `input_param { shape { dim: ... } }`, or call forward first."
            )
        return self._params

    @in_turn
    def changed(self) -> None:
        """Tell the net that parameter arrays held from before were written to."""
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

    def share(self, phase: str = "TEST") -> Net:
        """Another net on the same parameters, for validation while this one trains or for another thread.

        Nets that share parameters compute in parallel, each in a thread of its own. They share the parameters'
        gradients too, so `backward` and `Solver.step` of all of them take turns; a forward pass of one during a step of
        another may see some parameters before and some after the step. To train two nets apart, use `copy.deepcopy`.
        """
        other = Net(
            self.spec,
            phase=phase,
            path=self.path,
            dtype=self.dtype.name,
            seed=self.seed,
            low_memory=self.low_memory,
            info=self.info,
            shared=self.params,
        )
        other._loaded, other._sized_layers = self._loaded, self._sized_layers
        other._learning = self._learning
        return other

    @in_turn
    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a self-contained weight file (HDF5): description, parameters, `info`.

        Raises `FileError`, and `SpecError` where weights that were loaded would be missing in it.
        """
        from fcnlite.formats import storage

        self.check_complete(path)
        arrays = {name: [each.array for each in parameters] for name, parameters in self.params.items()}
        storage.save(path, storage.WeightFile(self.spec, arrays, self.info))

    def loaded(self, layers: Iterable[str], origin: str | os.PathLike[str]) -> None:
        """Note that the file `origin` has weights for these layers."""
        self._loaded.update(dict.fromkeys(layers, os.fspath(origin)))

    def check_complete(self, target: str | os.PathLike[str], layers: Container[str] | None = None) -> None:
        """Raise `SpecError` where weights were loaded for layers that have no parameters to hold them.

        Such layers are of an unknown type, or behind one, or have not run yet. `target` is the file that would lack
        the weights; `layers` are those that it is to hold, by default all.
        """
        lost = self._loaded.keys() - self._sized_layers - (self._params or {}).keys()
        names = [each.spec.name for each in self.layers if each.spec.name in lost]
        names = [each for each in names if layers is None or each in layers]
        if not names:
            return
        types = dict.fromkeys(each.spec.type for each in self.layers if isinstance(each, UnknownLayer))
        if types:
            why = (
                f"unknown layer types ({', '.join(types)}) kept them from being loaded; import the module that "
                "registers these types before loading (--import MODULE for commands)"
            )
        else:
            why = "these layers have no sizes before they run; call forward with all inputs first"
        shown = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
        origin = self._loaded[names[0]]
        raise SpecError(
            f"{target}: not written, because the weights that {origin} has for {shown} would be lost: {why}."
        )

    def _declared_shapes(self) -> dict[str, Shape] | None:
        """The inputs' shapes as described; None where one is missing."""
        shapes: dict[str, Shape] = {}
        for layer in self.layers:
            if _is_input(layer):
                described = layer.top_shapes()
                if not described:
                    return None
                shapes.update(zip(layer.spec.top, described, strict=True))
        return shapes

    def _make_params(self, schedule: Schedule, fed: Mapping[str, Shape]) -> None:
        """Give every layer of `schedule` its parameters."""
        shapes = self._infer(schedule, fed)
        wanted = [(step.layer, sizing.wanted(step, shapes)) for step in schedule.steps]
        self._sized_layers.update(layer.spec.name for layer, _ in wanted)
        existing: Mapping[str, list[Parameter]] = self._params or {}
        owners: dict[str, Parameter] = {}
        for layer in self.layers:
            for spec, parameter in zip(layer.spec.param, existing.get(layer.spec.name, ()), strict=False):
                if spec.name:
                    owners.setdefault(spec.name, parameter)
        made = make_parameters(wanted, existing, owners, self.dtype, self.seed)
        self._params = Parameters({**existing, **made})
        if new := made.keys() - existing.keys():
            for call in self._when_sized:
                call(new)

    @in_turn
    def when_sized(self, call: Callable[[Set[str]], None]) -> None:
        """Have `call` called with the names of layers whose parameters have come into being, now and later."""
        self._when_sized.append(call)
        if self._params:
            call(self._params.keys())

    # Forward

    @in_turn
    def forward(
        self,
        inputs: Mapping[str, Any] | npt.ArrayLike | None = None,
        /,
        *,
        outputs: Sequence[str] | None = None,
        keep: bool = False,
        **blobs: Any,
    ) -> dict[str, Array]:
        """Run the net on the fed inputs and return the output blobs by name, as arrays of the caller's own.

        Inputs are numeric arrays by blob name (a mapping for names that are no identifiers; the only picture may come
        without its name): pictures N×C×H×W, of any
        height and width and another size at every call, and labels N×1×H×W or N×H×W. Layers whose inputs were not fed
        are left out. `outputs`: any blobs by name; by default the tops that no layer reads (`score` without a label,
        `loss` with one). `keep`: keep what `backward` and `blobs` need, until the next forward; where another thread
        has called that since, they raise an error. Raises `SpecError` for an unknown name, `ShapeError` where shapes do
        not fit, `DataError` for labels that are no classes.
        """
        feeds = self._convert({**self._by_name(inputs, blobs), **blobs})
        if keep:
            # The caller may reuse the arrays before backward reads them.
            feeds = {name: array.copy() for name, array in feeds.items()}
        schedule = self._schedule(frozenset(feeds), None if outputs is None else tuple(outputs), keep=keep)
        if outputs is None and schedule.unknown:
            raise schedule.unknown[0].error()
        self._check_shapes(schedule, {name: array.shape for name, array in feeds.items()})
        self._last = None
        self._passes += 1
        self._kept_here.__dict__.clear()
        writes = any(step.layer.updates_params for step in schedule.steps)
        with np.errstate(all="ignore"), blas_alone(), self._learning if writes else nullcontext():
            forward = self._forward_plan if self.path == "fast" else self._forward_plain
            result, last = forward(schedule, feeds, keep)
        if keep:
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

    def _by_name(self, inputs: Any, blobs: Mapping[str, Any]) -> Mapping[str, Any]:
        """The positional inputs by name; an array is the only picture. Raises `SpecError` where that is not one."""
        if inputs is None or isinstance(inputs, Mapping):
            return inputs or {}
        pictures = list(sizing.image_inputs(self.layers))
        if len(pictures) != 1:
            named = f": {', '.join(map(repr, pictures))}" if pictures else ""
            raise SpecError(
                f"an array without a name is for nets of one picture input, and this one has {len(pictures)}{named}; "
                "give each input by its name, forward(NAME=array) or forward({NAME: array})."
            )
        if pictures[0] in blobs:
            raise SpecError(f"input {pictures[0]!r} was given twice, by position and by name; give it once.")
        return {pictures[0]: inputs}

    def _forward_plain(
        self, schedule: Schedule, feeds: Mapping[str, Array], keep: bool
    ) -> tuple[dict[str, Array], Pass[Any]]:
        """The outputs, layer by layer."""
        values = {version: feeds[name] for name, version in schedule.inputs.items()}
        runs = []
        for step in schedule.steps:
            began = time.perf_counter()
            bottom = [values[version] for version in step.bottom]
            top, run = self._run_layer(step.layer, bottom, bottom[:1] if step.overwrite else ())
            if self.timer is not None:
                self.timer((step.layer.spec.name,), "forward", time.perf_counter() - began)
            values.update(zip(step.top, top, strict=True))
            if keep:
                runs.append(run)
            for version in step.release:
                del values[version]
        result = {}
        for name, version in schedule.outputs.items():
            result[name] = values[version].copy() if keep or version in schedule.aliased else values[version]
        return result, PlainPass(schedule, values, runs)

    def _forward_plan(
        self, schedule: Schedule, feeds: Mapping[str, Array], keep: bool, elide: bool = True
    ) -> tuple[dict[str, Array], Pass[Any]]:
        """The outputs, by a plan."""
        plan = self._plan(schedule, {name: array.shape for name, array in feeds.items()}, keep=keep, elide=elide)
        clock: list[float] = []
        last = plan.forward(feeds, clock)
        if self.timer is not None:
            for operation, (began, ended) in zip(plan.graph.operations, pairwise(clock), strict=True):
                self.timer(operation.layers, "forward", ended - began)
        return last.outputs(), last

    def _run_layer(self, layer: Layer, bottom: list[Array], outs: Sequence[Array]) -> tuple[list[Array], Run]:
        """The layer's tops, in `outs` if the layer writes there, and what its backward needs."""
        parameters = self.params.get(layer.spec.name, ())
        run = Run(
            params=[each.data if layer.updates_params else each.array for each in parameters],
            outs=outs,
            rng=partial(generator, self.seed, 1 + self.iteration, layer.spec.name),
        )
        made = calls.forward(layer, bottom, run)
        if layer.updates_params:
            for each in parameters:
                each.changed()  # another thread may have prepared what was half written
        run.outs = ()  # of forward alone: backward may call it again
        # NumPy turns arrays without axes into numbers; layers and callers get arrays.
        top = [np.asarray(each, self.dtype, order="C") for each in made]
        if not layer.aliases and not any(each is x for each in outs for x in bottom):
            top = [each.copy() if any(np.may_share_memory(each, x) for x in bottom) else each for each in top]
        run.bottom = bottom if "bottom" in layer.backward_reads else []
        run.top = top if "top" in layer.backward_reads else []
        run.top_shapes = [each.shape for each in top]
        run.bottom_shapes = [each.shape for each in bottom]
        return top, run

    @in_turn
    def plan(self, fed: Mapping[str, Shape], outputs: Sequence[str] | None = None) -> Plan:
        """The fast path's plan for inference on inputs of these shapes. Raises as `forward` does."""
        schedule = self._schedule(frozenset(fed), None if outputs is None else tuple(outputs), keep=False)
        self._check_shapes(schedule, dict(fed))
        return self._plan(schedule, fed, keep=False, elide=True)

    def _plan(self, schedule: Schedule, fed: Mapping[str, Shape], *, keep: bool, elide: bool) -> Plan:
        """The plan of the fast path for inputs of these shapes."""
        key = (id(schedule), tuple(sorted(fed.items())), keep, elide, config.num_threads())
        if key not in self._plans:
            plan = compile_schedule(schedule, self._infer(schedule, fed), self._machine(), training=keep, elides=elide)
            _remember(self._plans, key, plan)  # which holds the schedule, so that its id is not given to another
            if len(self._plans) == KEPT_SCHEDULES:  # others went: with them what only they had prepared
                used = set().union(*(each.machine.used for each in self._plans.values()))
                for old in self._prepared.keys() - used:
                    del self._prepared[old]
        return self._plans[key]

    def _machine(self) -> Machine:
        net = weakref.ref(self)  # whose plans hold the machine

        def params(layer: str) -> Sequence[Parameter]:
            return _alive(net).params.get(layer, ())

        def run_layer(layer: Layer, bottom: list[Array], outs: Sequence[Array]) -> tuple[list[Array], Run]:
            return _alive(net)._run_layer(layer, bottom, outs)

        kernels, threads = isa.kernels("fast"), config.num_threads()
        memory = self._arena, self._outputs
        return Machine(params, run_layer, kernels, threads, self._prepared, *memory, self.low_memory)

    def _convert(self, feeds: Mapping[str, Any]) -> dict[str, Array]:
        """The fed arrays, C-contiguous and of the net's type. Raises `SpecError` for names that are no inputs."""
        known = {top for layer in self.layers if _is_input(layer) for top in layer.spec.top}
        converted = {}
        for name, value in feeds.items():
            if name not in known:
                raise SpecError(f"{name!r} is not an input of this net; {nearest(name, known)}")
            array = _numbers(f"input {name!r}", value, self.dtype)
            if not array.size:
                raise ShapeError(f"input {name!r} has shape {show(array.shape)}, which holds nothing.")
            converted[name] = array
        if not converted:
            raise SpecError(f"no input was fed; {nearest('', known)}")
        return converted

    def _schedule(self, fed: frozenset[str], outputs: tuple[str, ...] | None, *, keep: bool) -> Schedule:
        key = (fed, outputs, keep)
        schedule = self._schedules.get(key)
        if schedule is None:
            schedule = Schedule.make(self.layers, fed, outputs, keep)
            _remember(self._schedules, key, schedule)
        return schedule

    def _check_shapes(self, schedule: Schedule, fed: dict[str, Shape]) -> None:
        """Infer all shapes once for each set of input shapes; make the parameters that are not there yet."""
        key = (id(schedule), tuple(sorted(fed.items())))
        if key in self._checked:
            return
        shapes = self._infer(schedule, fed)
        if any(
            sizing.wanted(step, shapes) and step.layer.spec.name not in (self._params or {}) for step in schedule.steps
        ):
            self._make_params(self._schedule(frozenset(fed), (), keep=True), fed)
        elif self._params is None:
            self._params = Parameters()
        sizing.check_parameters(schedule, shapes, self.params)
        _remember(self._checked, key, schedule)  # held, so that its id is not given to another

    def _infer(self, schedule: Schedule, fed: Mapping[str, Shape]) -> dict[int, Shape]:
        return sizing.infer(schedule, fed, self.dtype.itemsize)

    @in_turn
    def shapes(self, fed: Mapping[str, Shape]) -> list[tuple[Layer, list[Shape], list[Shape]]]:
        """Each layer that would run on inputs of these shapes, with the shapes of its bottoms and tops."""
        schedule = self._schedule(frozenset(fed), None, keep=True)
        shapes = self._infer(schedule, fed)
        return [
            (step.layer, [shapes[version] for version in step.bottom], [shapes[version] for version in step.top])
            for step in schedule.steps
        ]

    # After forward with keep=True

    @property
    @in_turn
    def blobs(self) -> dict[str, Array]:
        """The blobs of the last `forward(keep=True)`, by name; one written in place has its last value."""
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
        """The gradients of blobs, by name, that the last `backward` was asked for (inputs if `force_backward`)."""
        self._check_turn()
        return self._grads

    def _check_turn(self) -> None:
        """Raise `FcnliteError` where another thread's forward has replaced the pass that this thread kept."""
        if getattr(self._kept_here, "number", self._passes) != self._passes:
            raise FcnliteError(
                "another thread has called forward since this thread's forward(keep=True), and what this thread's pass "
                "kept is gone; give each thread a net of its own, net.share(), or hold net.turns from forward to "
                "backward."
            )

    def _kept(self) -> Pass:
        self._check_turn()
        if self._last is None:
            raise FcnliteError("there is no forward pass to look back at; call forward(..., keep=True) first.")
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
        **dtops: Any,
    ) -> None:
        """Put the gradients into `params[...].grad` (and `grads`), for the last `forward(keep=True)`.

        Without arguments they are those of the summed, weighted losses; with gradients of blobs by name, those alone
        are carried back. `wrt` names blobs whose gradients go to `grads`. `accumulate` adds to the parameters'
        gradients instead of overwriting them. `frozen` computes those of parameters with an lr_mult of 0 too, which
        are zero otherwise; Caffe does so for nets with force_backward. The pass may be another thread's, unless this
        thread has kept one that the other has replaced: then it is an error.
        """
        last = self._kept()
        targets = {name: last.schedule.version(name) for name in wrt}
        if self.spec.force_backward:
            targets.update(last.schedule.inputs)
        if any(last.is_short(version) for version in targets.values()):
            last = self._last = self._in_full(last)
        seeds = self._seeds(last, {**(tops or {}), **dtops})
        backprop = Backprop(last, self.params, accumulate=accumulate, frozen=frozen, timer=self.timer)
        with np.errstate(all="ignore"), blas_alone(), self._learning:
            found = backprop.run(seeds, set(targets.values()))
        self._grads = {
            name: found[version].copy() if version in found else np.zeros_like(last.values[version])
            for name, version in targets.items()
        }

    def _in_full(self, last: Pass[Any]) -> Pass[Any]:
        """The same pass again, by a plan in which every row of every blob is there, to have a gradient of its own."""
        statistics = [each for parameters in self.params.values() for each in parameters if each.statistic]
        self.iteration -= self.phase == "TRAIN"
        feeds = {name: last.values[version] for name, version in last.schedule.inputs.items()}
        with np.errstate(all="ignore"), blas_alone(), self._learning:
            before = [each.array.copy() for each in statistics]
            _, again = self._forward_plan(last.schedule, feeds, keep=True, elide=False)
            for parameter, values in zip(statistics, before, strict=True):
                parameter.data = values
        self.iteration += self.phase == "TRAIN"
        return again

    def _seeds(self, last: Pass, given: Mapping[str, Any]) -> dict[int, Array]:
        """The gradients that backward starts from: those given, else the loss weights."""
        if not given:
            if not last.schedule.losses:
                raise FcnliteError(
                    "the forward pass computed no loss; feed the label, or give the gradient of a blob: "
                    "backward(score=dscore)."
                )
            return {v: np.full_like(last.values[v], weight) for v, weight in last.schedule.losses.items()}
        seeds = {}
        for name, value in given.items():
            version = last.schedule.version(name)
            gradient = _numbers(f"the gradient of {name!r}", value, self.dtype)
            if gradient.shape != last.values[version].shape:
                raise ShapeError(
                    f"the gradient of {name!r} has shape {show(gradient.shape)}, but the blob "
                    f"{show(last.values[version].shape)}."
                )
            seeds[version] = gradient
        return seeds

    @in_turn
    def find_nonfinite(self) -> str | None:
        """Where NaN or infinity first appears in the last `forward(keep=True)`, in words; None if nowhere."""
        return first_nonfinite(self._kept(), self.params)

    # For people

    def __repr__(self) -> str:
        """Name, phase and path, then the layers with type, shape of the first top and parameters."""
        try:
            return outline.text(self._title(), self.layers, self._params)
        except Exception:  # a debugger may look at a net that is half made
            return object.__repr__(self)

    def _repr_html_(self) -> str | None:
        """The same as a table, for notebooks."""
        try:
            return outline.markup(self._title(), self.layers, self._params)
        except Exception:
            return None

    def _title(self) -> str:
        return f"Net {self.spec.name!r}: phase {self.phase}, {self.path} path, {self.dtype}, {len(self.layers)} layers"


def _is_input(layer: Layer) -> bool:
    return not layer.spec.bottom


def _numbers(what: str, value: Any, dtype: np.dtype[Any]) -> Array:
    """`value` as a C-contiguous array of `dtype`. Raises `SpecError` where it is no array of numbers."""
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise SpecError(f"{what} is no array of numbers ({error}).") from error
    if array.dtype.kind not in "buif":
        raise SpecError(f"{what} has dtype {array.dtype}; expected numbers.")
    return np.asarray(array, dtype, order="C")


_NOT_COPIED: dict[str, Callable[[], Any]] = {
    **dict.fromkeys(("_schedules", "_checked", "_plans", "_prepared", "_grads"), dict),
    "_arena": Arena,
    "_outputs": Outputs,
    "_last": type(None),
    "_kept_here": threading.local,
    "_when_sized": list,
}
"""What a copy of a net begins with instead."""


def _alive(net: weakref.ref[Net]) -> Net:
    found = net()
    if found is None:
        raise FcnliteError("the net that this plan is of is gone, and the plan runs by it; hold the net too.")
    return found


def _remember(cache: dict[Any, Any], key: Any, value: Any) -> None:
    """Put an entry into a small cache, the oldest making room."""
    while len(cache) >= KEPT_SCHEDULES:
        del cache[next(iter(cache))]
    cache[key] = value
