"""Training in stages, coarse to fine (paper, section 4.2): each begins from the best weights of the one before.

Each stage is a run of its own, in a folder called after its number and model, such as 1-voc-fcn32s. stages.json says
what the stages are and which is under way; those before it are done.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fcnlite.errors import FcnliteError, TrainingError
from fcnlite.files import atomic_write, read_text
from fcnlite.train import single
from fcnlite.train.consent import NO_CONSENT, Consent
from fcnlite.train.loop import Training
from fcnlite.train.options import TrainOptions, changed
from fcnlite.train.run_folder import RunFolder
from fcnlite.train.starting import check_imports


@dataclass(frozen=True)
class Plan:
    """What stages.json holds."""

    stages: tuple[TrainOptions, ...]
    current: int = 0

    def write(self, folder: RunFolder) -> None:
        plain = {"current": self.current, "stages": [each.plain() for each in self.stages]}
        with atomic_write(folder.stages) as temporary:
            temporary.write_text(json.dumps(plain, indent=1), encoding="utf-8")

    @staticmethod
    def read(folder: RunFolder) -> Plan:
        """Raises `TrainingError` for a file that no run in stages has written."""
        try:
            match json.loads(read_text(folder.stages)):
                case {"current": int(current), "stages": [_, *_] as stages} if 0 <= current < len(stages):
                    if all(isinstance(each, dict) for each in stages):
                        return Plan(tuple(map(TrainOptions.from_plain, stages)), current)
        except (ValueError, RecursionError):
            pass
        except TrainingError as error:
            raise TrainingError(f"{folder.stages}: {error}") from error
        raise TrainingError(f"{folder.stages}: is damaged; start anew with --overwrite.")


def begin(
    folder: RunFolder, stages: Sequence[TrainOptions], profile: bool = False, consent: Consent = NO_CONSENT
) -> None:
    """Train all stages in a folder that is claimed; what an earlier run left there is replaced."""
    init = stages[0].init
    if init is not None and Path(init).resolve().is_relative_to(folder.path.resolve()) and folder.holds_run():
        raise TrainingError(f"--init {init}: lies in the run that --overwrite replaces; copy it elsewhere first.")
    plan = Plan((stages[0], *(replace(each, init=None) for each in stages[1:])))
    stage = of_stage(folder, plan)
    ready = single.prepare(stage, stages[0], consent)  # all that may be wrong shows before anything goes
    folder.clear()
    stage.clear()
    plan.write(folder)
    try:
        _go_on(folder, plan, profile, ready=ready)
    except FcnliteError:
        if not stage.holds_run():  # nothing to go on with
            folder.stages.unlink(missing_ok=True)
        raise


def resume(folder: RunFolder, changes: dict[str, Any], profile: bool = False, consent: Consent = NO_CONSENT) -> None:
    """Go on where the stages stand; `changes` hold for the stage under way and those to come."""
    plan = Plan.read(folder)
    check_imports(plan.stages[plan.current], changes, folder)
    if changes:
        later = (changed(each, changes) for each in plan.stages[plan.current :])
        plan = replace(plan, stages=(*plan.stages[: plan.current], *later))
        plan.write(folder)
    _go_on(folder, plan, profile, changes, consent=consent)


def folders(folder: RunFolder, stages: Sequence[TrainOptions]) -> list[RunFolder]:
    """Those of all stages."""
    return [RunFolder(folder.path / f"{i}-{Path(each.model).stem}") for i, each in enumerate(stages, start=1)]


def of_stage(folder: RunFolder, plan: Plan) -> RunFolder:
    """The folder of the stage under way."""
    return folders(folder, plan.stages)[plan.current]


def _go_on(
    folder: RunFolder,
    plan: Plan,
    profile: bool,
    changes: dict[str, Any] | None = None,
    ready: Training | None = None,
    consent: Consent = NO_CONSENT,
) -> None:
    """From the stage under way to the end; `ready`: what of that stage is prepared already.

    `consent` holds for the stage under way if that is resumed; the next ones begin on the same data.
    """
    while True:
        stage, options = of_stage(folder, plan), plan.stages[plan.current]
        print(f"stage {plan.current + 1} of {len(plan.stages)}: {options.model} in {stage.path}")
        with stage.claimed():
            try:
                if stage.last.exists():
                    single.resume(stage, changes or {}, profile, consent)
                else:
                    single.begin(ready or single.prepare(stage, options), profile)
            except TrainingError as error:
                # What the stage says of its own folder is not what the user gave.
                text = str(error).replace(f"--out {stage.path}", f"--out {folder.path}")
                raise TrainingError(text) from error
        if plan.current + 1 == len(plan.stages):
            return
        following = replace(plan.stages[plan.current + 1], init=str(stage.best))
        stages = (*plan.stages[: plan.current + 1], following, *plan.stages[plan.current + 2 :])
        plan, changes, ready = Plan(stages, plan.current + 1), None, None
        of_stage(folder, plan).clear()
        plan.write(folder)
