"""`python -m fcnlite.data clip.mkv --to frames OUT`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fcnlite.inspection.command import main
from tests.cli.conftest import Command

av = pytest.importorskip("av", reason="needs the extra video (av)")


def clip(path: Path, frames: int = 12, noise: bool = False) -> Path:
    """A video whose frames are gray, each a little brighter than the one before."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(frames):
            pixels = np.full((48, 64, 3), 40 + 10 * (number % 20), np.uint8)
            if noise:
                pixels = np.random.default_rng(number).integers(0, 256, pixels.shape, dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    return path


def test_frames_become_pictures(tmp_path: Path, command: Command) -> None:
    path, out = clip(tmp_path / "clip.mp4"), tmp_path / "out"
    ended = command(main, path, "--to", "frames", out, "--every", 5)
    assert (ended.status, ended.out) == (0, f"{path}: 3 frames -> {out}\n"), ended.err
    assert sorted(each.name for each in out.iterdir()) == [f"clip_{number:06}.png" for number in (0, 5, 10)]
    for number in (0, 5, 10):
        picture = np.asarray(Image.open(out / f"clip_{number:06}.png"))
        assert picture.shape == (48, 64, 3) and abs(picture.mean() - (40 + 10 * number)) < 6
    found = json.loads(command(main, path, "--to", "frames", tmp_path / "all", "--json", "-").out)
    assert (found["frames"], found["problems"]) == (12, [])


@pytest.mark.parametrize("kind", ["avi", "mkv"])
def test_a_video_that_ends_early_is_named(kind: str, tmp_path: Path, command: Command) -> None:
    whole = clip(tmp_path / f"whole.{kind}", 40, noise=True).read_bytes()
    path, out = tmp_path / f"cut.{kind}", tmp_path / "out"
    path.write_bytes(whole[: len(whole) // 2])
    ended = command(main, path, "--to", "frames", out)
    assert ended.status == 1 and not out.exists()
    assert f"cut.{kind}: ends early: it has" in ended.err and "--skip-bad keeps the frames before" in ended.err
    ended = command(main, path, "--to", "frames", out, "--skip-bad")
    assert ended.status == 0 and "warning: " in ended.err
    assert 2 < len([*out.iterdir()]) < 40


def test_what_is_no_video(tmp_path: Path, command: Command) -> None:
    (tmp_path / "x.mp4").write_bytes(b"no video" * 100)
    for words, message in (
        ((tmp_path / "x.mp4", "--to", "frames", tmp_path / "out"), "x.mp4: is not a video that can be read"),
        ((tmp_path / "y.mp4", "--to", "frames", tmp_path / "out"), "y.mp4: no such file"),
        ((tmp_path / "x.mp4",), "is a video; --to frames OUT writes its frames"),
        ((tmp_path, "--to", "frames", tmp_path / "out"), "is for video files"),
    ):
        ended = command(main, *words)
        assert ended.status == 1 and message in ended.err, ended.err
        assert not (tmp_path / "out").exists()
