"""Remedies for an impossible crop: a change of a layer, of the offset or of the picture's size.

A layer on the paths to both the blob and its reference moves both alike, so its pad cancels out: a larger pad at the
first layer never helps a skip under an upsampled score. Only a change on one of the two paths helps. Changes are tried
in order of size, and only one that works is suggested.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

from fcnlite.arrays import Shape
from fcnlite.description.shapes import Window, crop_offset, placements
from fcnlite.description.spec import LayerSpec
from fcnlite.errors import FcnliteError
from fcnlite.layers.convolution import Convolution
from fcnlite.layers.deconvolution import Deconvolution
from fcnlite.layers.registry import create, links

_STEPS = (*range(1, 17), *range(20, 101, 4))
"""The changes of a pad or kernel_size to try, in pixels."""
_Windowed = tuple[LayerSpec, Window]
"""A convolution or deconvolution and its window, the same for rows and columns."""
_LARGER = 64
"""The most pixels by which pictures are enlarged."""


def remedy(before: Sequence[LayerSpec], crop: LayerSpec, fed: Mapping[str, Shape] | None, phase: str = "TEST") -> str:
    """A sentence that says how to make `crop` possible, given the layers before it; empty if no remedy was found.

    `fed` gives the shapes of the inputs; without it, only offsets are checked, not sizes.
    """
    problem = _ImpossibleCrop(before, crop, fed, phase)
    found = problem.offset(before, fed)
    if found is not None:
        return f"Write `offset: {found}` in {crop.name!r}, which aligns the two."
    suggestions = []
    for words, layers in problem.changes():
        found = problem.offset(layers, fed)
        if found is not None:
            suggestions.append(f"give {words} and {crop.name!r} `offset: {found}`")
            break
    if fed is not None:
        larger = problem.larger()
        if larger is not None:
            suggestions.append(f"feed pictures that are {larger}")
    if not suggestions:
        return ""
    why = "" if problem.over_input else " (a pad of a layer on both paths cancels out)"
    sentence = ", or ".join(suggestions) + why
    return sentence[0].upper() + sentence[1:] + "."


class _ImpossibleCrop:
    """A crop that fails, with the layers before it, and the changes that might make it possible."""

    def __init__(
        self, before: Sequence[LayerSpec], crop: LayerSpec, fed: Mapping[str, Shape] | None, phase: str
    ) -> None:
        self._blob, self._reference = crop.bottom
        of_blob, of_reference = _ancestors(before, self._blob), _ancestors(before, self._reference)
        self._before = [each for i, each in enumerate(before) if i in of_blob | of_reference or not each.bottom]
        self._own = {before[i].name for i in of_blob - of_reference}
        self._references = {before[i].name for i in of_reference - of_blob}
        self.over_input = not any(before[i].bottom for i in of_reference)
        """Whether the reference is an input."""
        self._crop, self._fed, self._phase = crop, fed, phase

    def offset(self, layers: Sequence[LayerSpec], fed: Mapping[str, Shape] | None) -> int | None:
        """The offset that makes the crop aligned and possible with these layers; None if no offset does."""
        try:
            known = [placements(links(layers, axis, self._phase)) for axis in (0, 1)]
            rows, columns = (crop_offset(each, self._blob, self._reference) for each in known)
            if rows != columns:
                return None
            if fed is not None and not self._fits(layers, fed, rows):
                return None
        except (FcnliteError, KeyError, ValueError):
            return None
        return rows

    def _fits(self, layers: Sequence[LayerSpec], fed: Mapping[str, Shape], offset: int) -> bool:
        shapes: dict[str, Shape] = dict(fed)
        for spec in layers:
            if spec.bottom:
                tops = create(spec, self._phase).top_shapes(*(shapes[name] for name in spec.bottom))
                shapes.update(zip(spec.top, map(tuple, tops), strict=True))
        blob, reference = shapes[self._blob], shapes[self._reference]
        return all(offset + want <= have for have, want in zip(blob[2:], reference[2:], strict=True))

    def changes(self) -> Iterator[tuple[str, list[LayerSpec]]]:
        """The layers with one of them changed, and the change in words; likely remedies first."""
        convolutions: list[_Windowed] = []
        upsampling: list[_Windowed] = []
        for spec in self._before:
            layer = create(spec, self._phase)
            if not isinstance(layer, Convolution | Deconvolution) or layer.geometry.rows != layer.geometry.columns:
                continue
            if isinstance(layer, Deconvolution):
                upsampling.append((spec, layer.geometry.rows))
            else:
                convolutions.append((spec, layer.geometry.rows))
        wide = [(spec, window) for spec, window in convolutions if window.size > 1]
        points = [(spec, window) for spec, window in convolutions if window.size == 1]
        apart = self._own | self._references
        if self.over_input and wide:
            yield from self._padded(wide[:1], more=True)
        yield from self._padded([each for each in upsampling if each[0].name in self._own], more=False)
        yield from self._padded([each for each in upsampling if each[0].name in self._references], more=True)
        yield from self._padded([each for each in wide if each[0].name in self._own], more=True)
        yield from self._widened([each for each in upsampling if each[0].name in self._own])
        yield from self._padded([each for each in points if each[0].name in apart], more=True)

    def _padded(self, which: Sequence[_Windowed], more: bool) -> Iterator[tuple[str, list[LayerSpec]]]:
        for step in _STEPS:
            for spec, window in which:
                pad = window.pad + step if more else window.pad - step
                if pad >= 0:
                    yield f"{spec.name!r} a pad of {pad} (it has {window.pad})", self._with(spec, "pad", pad)

    def _widened(self, which: Sequence[_Windowed]) -> Iterator[tuple[str, list[LayerSpec]]]:
        for step in _STEPS:
            for spec, window in which:
                size = window.size + step
                words = f"{spec.name!r} a kernel_size of {size} (it has {window.size})"
                yield words, self._with(spec, "kernel_size", size)

    def _with(self, spec: LayerSpec, option: str, value: int) -> list[LayerSpec]:
        stem = "kernel" if option == "kernel_size" else option
        others = {key: each for key, each in spec.options.items() if key not in (f"{stem}_h", f"{stem}_w")}
        changed = dataclasses.replace(spec, options={**others, option: [value]})
        return [changed if each is spec else each for each in self._before]

    def larger(self) -> str | None:
        """The enlargement of pictures that makes the crop possible, in words; None if none does."""
        assert self._fed is not None
        for extra in range(1, _LARGER + 1):
            fed = {
                name: (*shape[:2], *(side + extra for side in shape[2:])) if len(shape) == 4 else shape
                for name, shape in self._fed.items()
            }
            if (offset := self.offset(self._before, fed)) is not None:
                plural = "pixel" if extra == 1 else "pixels"
                return f"{extra} {plural} higher and wider (with `offset: {offset}` in {self._crop.name!r})"
        return None


def _ancestors(layers: Sequence[LayerSpec], blob: str) -> set[int]:
    """The indices of the layers that the final value of a blob depends on."""
    wanted, found = {blob}, set()
    for i in reversed(range(len(layers))):
        if wanted.intersection(layers[i].top):
            found.add(i)
            wanted = (wanted - set(layers[i].top)) | set(layers[i].bottom)
    return found
