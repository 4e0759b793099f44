"""The layers that a file has weights for: a net without their parameters must not be saved as if it were complete."""

from __future__ import annotations

import os
from collections.abc import Container, Iterable, Sequence

from fcnlite.errors import SpecError
from fcnlite.layers.base import Layer
from fcnlite.layers.registry import UnknownLayer


class LoadedWeights:
    """Which file has weights for which layers, and which layers have been sized since."""

    def __init__(self) -> None:
        self._origins: dict[str, str] = {}
        self._sized: set[str] = set()

    def note(self, layers: Iterable[str], origin: str | os.PathLike[str]) -> None:
        """Record that the file `origin` has weights for these layers."""
        self._origins.update(dict.fromkeys(layers, os.fspath(origin)))

    def note_sized(self, layers: Iterable[str]) -> None:
        """Record that the net knows which parameters these layers want, if any."""
        self._sized.update(layers)

    def check_complete(
        self,
        layers: Sequence[Layer],
        params: Container[str],
        target: str | os.PathLike[str],
        wanted: Container[str] | None = None,
    ) -> None:
        """Raise `SpecError` where weights were loaded for layers that have no parameters to hold them.

        Such a layer is of an unknown type, or reads from one, or has not run yet. `target` is the file that would lack
        the weights; `wanted` are the layers that it is to hold, by default all.
        """
        lost = self._origins.keys() - self._sized
        names = [each.spec.name for each in layers if each.spec.name in lost and each.spec.name not in params]
        names = [each for each in names if wanted is None or each in wanted]
        if not names:
            return
        types = dict.fromkeys(each.spec.type for each in layers if isinstance(each, UnknownLayer))
        if types:
            why = (
                f"unknown layer types ({', '.join(types)}) kept them from being loaded; import the module that "
                "registers these types before loading (--import MODULE for commands)"
            )
        else:
            why = "these layers have no sizes before they run; call forward with all inputs first"
        shown = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
        raise SpecError(
            f"{target}: not written, because the weights that {self._origins[names[0]]} has for {shown} would be lost: "
            f"{why}."
        )
