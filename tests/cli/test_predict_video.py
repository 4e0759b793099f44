"""`predict` on video files: the frames, the frames of a damaged video, and what is refused."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fcnlite import predict
from tests.cli.conftest import Command
from tests.cli.test_data_video import clip
from tests.color_net import color_net

pytest.importorskip("av", reason="needs the extra video (av)")


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    color_net().save(tmp_path / "color.h5")
    return tmp_path / "color.h5"


def test_frames_are_segmented_as_pictures(tmp_path: Path, weights: Path, command: Command) -> None:
    path, out = clip(tmp_path / "clip.mp4"), tmp_path / "out"
    picture = tmp_path / "still.png"
    Image.fromarray(np.full((5, 6, 3), (10, 200, 10), np.uint8)).save(picture)
    words = (weights, path, picture, "-o", out, "--every", 5, "--no-overlay", "--table", tmp_path / "t.csv")
    ended = command(predict.main, *words, "--workers", 2, "--polygons", "coco", "--tolerance", 0)
    assert ended.status == 0, ended.err
    names = ["clip_000000.png", "clip_000005.png", "clip_000010.png"]
    assert sorted(each.name for each in out.iterdir()) == ["annotations.json", *names, "still.png"]
    assert np.asarray(Image.open(out / names[1])).shape == (48, 64)
    with (tmp_path / "t.csv").open() as stream:
        titles = [row["picture"] for row in csv.DictReader(stream)]
    assert [*dict.fromkeys(titles)] == [str(picture), *(f"{path}#{number}" for number in (0, 5, 10))]
    coco = json.loads((out / "annotations.json").read_text())
    assert [each["file_name"] for each in coco["images"]] == ["still.png", *names]
    (out / names[1]).unlink()
    ended = command(predict.main, weights, path, "-o", out, "--every", 5, "--no-overlay", "--skip-done")
    assert (ended.status, ended.out.count(" -> ")) == (0, 1), ended.err
    assert "2 frames have their results already" in ended.err
    again = command(predict.main, *words, "--skip-done", "--json", tmp_path / "again.json")
    assert (again.status, again.out) == (0, ""), again.err
    with (tmp_path / "t.csv").open() as stream:
        assert [row["picture"] for row in csv.DictReader(stream)] == titles
    found = json.loads((tmp_path / "again.json").read_text())["pictures"]
    assert [each["picture"] for each in found] == [*dict.fromkeys(titles)]
    assert found[1]["files"] == [str(out / names[0])]


def test_a_video_that_ends_early_is_named_and_its_frames_stay(tmp_path: Path, weights: Path, command: Command) -> None:
    whole = clip(tmp_path / "whole.avi", 40, noise=True).read_bytes()
    path, out = tmp_path / "cut.avi", tmp_path / "out"
    path.write_bytes(whole[: len(whole) // 2])
    words = (weights, path, "-o", out, "--no-overlay", "--json", tmp_path / "found.json")
    ended = command(predict.main, *words)
    assert ended.status == 1
    assert "cut.avi: ends early: it has" in ended.err and ended.err.count("error:") == 1
    frames = len([*out.iterdir()])
    assert 2 < frames < 40 and ended.out.count(" -> ") == frames
    found = json.loads((tmp_path / "found.json").read_text())
    assert len(found["pictures"]) == frames and len(found["problems"]) == 1


def test_what_does_not_go_with_videos(tmp_path: Path, weights: Path, command: Command) -> None:
    path = clip(tmp_path / "clip.mp4", 2)
    (tmp_path / "broken.mp4").write_bytes(b"no video" * 100)
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "clip.avi").write_bytes(path.read_bytes())
    for words, message in (
        ((path, "--polygons", "labelme"), "clip.mp4: is a video, and --polygons labelme goes with picture files"),
        ((path, tmp_path / "more" / "clip.avi"), "would be written to"),
        ((tmp_path / "broken.mp4",), "broken.mp4: is not a video that can be read"),
    ):
        ended = command(predict.main, weights, *words, "-o", tmp_path / "out", "--no-overlay")
        assert ended.status == 1 and message in ended.err and ended.err.count("error:") == 1, ended.err
        assert not [*(tmp_path / "out").glob("*")]


def test_a_picture_with_the_name_of_a_frame_is_refused(tmp_path: Path, weights: Path, command: Command) -> None:
    picture = tmp_path / "clip_000005.png"
    Image.fromarray(np.zeros((5, 6, 3), np.uint8)).save(picture)
    ended = command(predict.main, weights, picture, clip(tmp_path / "clip.mp4"), "-o", tmp_path / "out")
    assert ended.status == 1
    assert f"clip.mp4: would be written to {tmp_path / 'out' / 'clip_000005.png'}, as {picture} is" in ended.err
    assert not (tmp_path / "out").exists()
