"""Links in a run folder: no file that they lead to is changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from fcnlite.errors import FcnliteError
from fcnlite.train.run_folder import RunFolder, TrainingLog


@pytest.mark.parametrize("name", [".lock", "log.csv", "log.jsonl", "speed.jsonl"])
def test_a_link_in_the_place_of_a_log_is_refused(tmp_path: Path, name: str) -> None:
    victim = tmp_path / "victim"
    victim.write_text("a line\nno line end")
    folder = RunFolder(tmp_path / "run")
    folder.path.mkdir()
    (folder.path / name).symlink_to(victim)
    with pytest.raises(FcnliteError, match="link"), folder.claimed():
        TrainingLog(folder)
    assert victim.read_text() == "a line\nno line end"


def test_results_replace_links(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("kept")
    folder = RunFolder(tmp_path)
    folder.log.symlink_to(victim)
    folder.start()
    assert victim.read_text() == "kept" and not folder.log.is_symlink()
