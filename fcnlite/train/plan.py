"""The plan of a run: its stages, their folders, and the stage that is current.

A run has one stage, or several from coarse to fine (paper, section 4.2), each of which starts from the best weights of
the stage before. One stage writes to the folder of the run. Each of several stages writes to its own folder, named
after its number and model, such as 1-voc-fcn32s; stages.json in the folder of the run records the plan.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fcnlite.errors import TrainingError
from fcnlite.files import atomic_write, read_text
from fcnlite.train.checkpoint import read_options
from fcnlite.train.options import TrainOptions
from fcnlite.train.run_folder import RunFolder


@dataclass(frozen=True)
class Stage:
    """One stage of a plan."""

    options: TrainOptions
    folder: RunFolder
    resumes: bool
    """Whether the stage continues from the checkpoint in its folder; otherwise it begins."""


@dataclass(frozen=True)
class TrainingPlan:
    """The options of all stages, the folder of the run, and the index of the current stage."""

    folder: RunFolder
    options: tuple[TrainOptions, ...]
    current: int = 0
    new: bool = True
    """Whether the current stage begins even if its folder holds a checkpoint, which is then of an earlier run."""

    @staticmethod
    def begin(folder: RunFolder, options: Sequence[TrainOptions], overwrite: bool = False) -> TrainingPlan:
        """Plan a new run with these options for each stage. Nothing is written.

        Raises `TrainingError` where a folder holds a run that the new one may not replace.
        """
        plan = TrainingPlan(folder, (options[0], *(replace(each, init=None) for each in options[1:])))
        for each in dict.fromkeys((folder, *plan._folders())):
            if each.holds_run() and not overwrite:
                resume = "continue it with --resume, " if each.resumable() else ""
                raise TrainingError(
                    f"{each.path}: holds an earlier run; {resume}replace it with --overwrite, or choose another --out."
                )
        init = options[0].init
        inside = init is not None and Path(init).resolve().is_relative_to(folder.path.resolve())
        if plan.staged and inside and folder.holds_run():
            raise TrainingError(f"--init {init}: is in the run that --overwrite replaces; copy it elsewhere first.")
        return plan

    @staticmethod
    def resume(folder: RunFolder, changes: Mapping[str, Any], ranks: int = 1) -> TrainingPlan:
        """Read the plan of the run in `folder`, to continue it in so many processes.

        `changes` apply to the current stage and those after it.

        The options of a stage that has begun come from its checkpoint. Raises `TrainingError` where the folder holds
        nothing to resume, and where `changes` lack the modules that the run imported: a file alone never makes code
        run.
        """
        if not folder.resumable():
            held, remedy = "no", "start without --resume"
            if folder.holds_run():
                held, remedy = "files of a run, but no", "put it back, or start again with --overwrite, not --resume"
            raise TrainingError(f"{folder.path}: holds {held} checkpoint (last.h5) to resume; {remedy}.")
        plan = (
            TrainingPlan._read(folder)
            if folder.stages.exists()
            else TrainingPlan(folder, (read_options(folder.last, ranks),), new=False)
        )
        stage = plan.stage
        current = read_options(stage.folder.last, ranks) if stage.resumes and plan.staged else stage.options
        if current.imports and "imports" not in changes:
            given = " ".join(f"--import {each}" for each in current.imports)
            raise TrainingError(f"{folder.path}: the run began with {given}; give that with --resume too.")
        later = (current, *plan.options[plan.current + 1 :])
        return replace(plan, options=(*plan.options[: plan.current], *(each.changed(changes) for each in later)))

    @staticmethod
    def _read(folder: RunFolder) -> TrainingPlan:
        """Read stages.json. Raises `TrainingError` for a file that no run has written."""
        try:
            match json.loads(read_text(folder.stages)):
                case {"current": int(current), "stages": [_, _, *_] as stages} if 0 <= current < len(stages):
                    if all(isinstance(each, dict) for each in stages):
                        return TrainingPlan(folder, tuple(map(TrainOptions.from_json, stages)), current, new=False)
        except (ValueError, RecursionError):
            pass
        except TrainingError as error:
            raise TrainingError(f"{folder.stages}: {error}") from error
        raise TrainingError(f"{folder.stages}: is damaged; start again with --overwrite.")

    @property
    def staged(self) -> bool:
        """Whether there are several stages."""
        return len(self.options) > 1

    @property
    def stage(self) -> Stage:
        """The current stage."""
        folder = self._folders()[self.current]
        return Stage(self.options[self.current], folder, resumes=not self.new and folder.last.exists())

    def _folders(self) -> list[RunFolder]:
        """The folder of each stage."""
        if not self.staged:
            return [self.folder]
        names = (f"{number}-{Path(each.model).stem}" for number, each in enumerate(self.options, start=1))
        return [RunFolder(self.folder.path / name) for name in names]

    def claimed(self) -> AbstractContextManager[None]:
        """Hold the folder of the current stage; the folder of the run is held already."""
        return self.stage.folder.claimed() if self.staged else nullcontext()

    def write(self) -> None:
        """Record the plan, if it has several stages; the results of an earlier run are removed before."""
        if not self.staged:
            return
        if self.new:
            self.stage.folder.clear()
        if self.new and self.current == 0:
            self.folder.clear(keep=(self.folder.stages,))
        values = {"current": self.current, "stages": [each.to_json() for each in self.options]}
        with atomic_write(self.folder.stages) as temporary:
            temporary.write_text(json.dumps(values, indent=1), encoding="utf-8")

    def withdraw(self) -> None:
        """Remove the record of a run whose first stage could not begin."""
        if self.staged and not self._folders()[0].holds_run():
            self.folder.stages.unlink(missing_ok=True)

    def advance(self) -> TrainingPlan | None:
        """Move on to the next stage, which starts from the best weights of this one, and record that.

        Returns None after the last stage.
        """
        following = self.current + 1
        if following == len(self.options):
            return None
        options = replace(self.options[following], init=str(self.stage.folder.best))
        plan = TrainingPlan(
            self.folder, (*self.options[:following], options, *self.options[following + 1 :]), following, new=True
        )
        plan.write()
        return plan
