"""`python -m fcnlite.predict`: polygons, tables, probabilities and GeoTIFFs, which others can read."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from fcnlite import data, plots, predict
from fcnlite.segmentation.segmenter import Segmenter
from tests.cli.conftest import Command
from tests.segmentation.outputs.test_georeference import geotiff

CLASSES = ("red", "green", "blue")
LABELS = np.array(
    [
        [0, 0, 0, 0, 0, 0, 1],
        [0, 1, 1, 1, 0, 2, 1],
        [0, 1, 2, 1, 0, 0, 1],
        [0, 1, 1, 1, 0, 0, 1],
        [0, 0, 0, 0, 0, 0, 1],
    ],
    np.uint8,
)
"""Red with a green ring around a blue pixel, another blue pixel, and a green border on the right."""


def picture(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels()).save(path)
    return path


def pixels() -> np.ndarray:
    return np.array([[101, 100, 100], [100, 101, 100], [100, 100, 101]], np.uint8)[LABELS]


@pytest.mark.parametrize("kind", ["coco", "labelme"])
def test_polygons_read_back_as_the_label_map(kind: str, tmp_path: Path, weights: Path, command: Command) -> None:
    pytest.importorskip("pycocotools", reason="needs the extra labels (pycocotools)")
    pytest.importorskip("shapely", reason="needs the extra labels (shapely)")
    root = tmp_path / "photos"
    picture(root / "images" / "a.png")
    out = root / "out" if kind == "labelme" else tmp_path / "out"
    ended = command(
        predict.main, weights, root / "images", "-o", out, "--polygons", kind, "--tolerance", 0, "--no-overlay"
    )
    assert ended.status == 0, ended.err
    (out / "a.png").unlink()
    options = {} if kind == "labelme" else {"annotations": out / "annotations.json", "images": root / "images"}
    if kind == "coco":
        held = json.loads((out / "annotations.json").read_text())
        assert held["images"] == [{"id": 1, "file_name": "a.png", "height": 5, "width": 7}]
        assert [each["area"] for each in held["annotations"]] == [20, 5, 8, 1, 1]
        assert held["annotations"][0]["score"] == pytest.approx(np.exp(1) / (np.exp(1) + 2), abs=1e-5)
    dataset = data.open(kind, root, val=0, rest="void", classes=CLASSES, **options)
    dataset.check()
    np.testing.assert_array_equal(dataset[0].label, LABELS)


def test_geojson_has_holes_and_leaves_out_what_is_not_wanted(tmp_path: Path, weights: Path, command: Command) -> None:
    shapely = pytest.importorskip("shapely", reason="needs the extra labels (shapely)")
    words = ("--polygons", "geojson", "--tolerance", 0, "--only", "red,green")
    ended = command(predict.main, weights, picture(tmp_path / "a.png"), "-o", tmp_path / "out", *words)
    assert ended.status == 0, ended.err
    assert "unknown 5.7 %" in ended.out
    found = json.loads((tmp_path / "out" / "a.geojson").read_text())
    assert [each["properties"]["class"] for each in found["features"]] == ["red", "green", "green"]
    ring = found["features"][2]["geometry"]
    assert shapely.geometry.shape(ring).equals(shapely.box(1, 1, 4, 4).difference(shapely.box(2, 2, 3, 3)))
    outer, hole = (shapely.LinearRing(each) for each in ring["coordinates"])
    assert outer.is_ccw and not hole.is_ccw
    areas = [shapely.geometry.shape(each["geometry"]).area for each in found["features"]]
    assert areas == [each["properties"]["pixels"] for each in found["features"]] == [20, 5, 8]
    assert "crs" not in found
    assert np.unique(np.asarray(Image.open(tmp_path / "out" / "a.png"))).tolist() == [0, 1, 255]


def test_the_table_counts_areas_and_objects(tmp_path: Path, weights: Path, command: Command) -> None:
    for name in ("a", "b"):
        picture(tmp_path / "in" / f"{name}.png")
    words = ("--table", tmp_path / "areas.csv", "--only", "green,blue", "--json", tmp_path / "x.json")
    assert command(predict.main, weights, tmp_path / "in", "-o", tmp_path / "out", *words).status == 0
    with (tmp_path / "areas.csv").open() as stream:
        rows = [*csv.reader(stream)]
    assert rows[:4] == [
        ["picture", "class", "pixels", "map_area", "share", "objects"],
        [str(tmp_path / "in" / "a.png"), "green", "13", "", "0.371429", "2"],
        [str(tmp_path / "in" / "a.png"), "blue", "2", "", "0.057143", "2"],
        [str(tmp_path / "in" / "a.png"), "unknown", "20", "", "0.571429", "1"],
    ]
    assert len(rows) == 7
    held = json.loads((tmp_path / "x.json").read_text())
    assert held["schema"] == "fcnlite.predict/1" and held["problems"] == []
    assert held["pictures"][1]["files"][0] == str(tmp_path / "out" / "b.png")
    assert held["pictures"][0]["classes"][0] == {
        "class": "green", "pixels": 13, "map_area": None, "share": 13 / 35, "objects": 2,
    }  # fmt: skip
    alone = command(predict.main, weights, tmp_path / "in", "-o", tmp_path / "out", "--json", "-").out
    assert json.loads(alone)["pictures"][0]["classes"][0]["pixels"] == 20


def test_small_regions_and_unsure_pixels(tmp_path: Path, weights: Path, command: Command) -> None:
    image, out = picture(tmp_path / "a.png"), tmp_path / "out"

    def labels(*words: object) -> np.ndarray:
        assert command(predict.main, weights, image, "-o", out, "--no-overlay", *words).status == 0
        return np.asarray(Image.open(out / "a.png"))

    wanted = LABELS.copy()
    wanted[2, 2], wanted[1, 5] = 1, 0
    found = labels("--min-area", 2)
    assert found[2, 2] == 1 and found[1, 5] in (0, 1)
    wanted[1, 5] = found[1, 5]
    np.testing.assert_array_equal(found, wanted)
    assert (labels("--min-confidence", 0.6) == 255).all()
    unknown = command(predict.main, weights, image, "-o", out, "--min-confidence", 0.6)
    assert "unknown 100.0 %" in unknown.out
    shown, no_class = np.array(Image.open(image)), np.full(LABELS.shape, 255, np.uint8)
    legend = plots.with_legend(plots.overlay(shown, no_class, CLASSES, ()), no_class, CLASSES, (), "unknown")
    np.testing.assert_array_equal(np.asarray(Image.open(out / "a_overlay.png")), np.asarray(legend))
    np.testing.assert_array_equal(labels("--min-confidence", 0.5), LABELS)


def test_probabilities(tmp_path: Path, weights: Path, command: Command) -> None:
    image, out = picture(tmp_path / "a.png"), tmp_path / "out"
    truth = Segmenter(weights).probabilities(image)
    for kind in ("tiff", "npy"):
        assert command(predict.main, weights, image, "-o", out, "--probabilities", kind).status == 0
    np.testing.assert_array_equal(np.load(out / "a_probabilities.npy"), truth)
    found = tifffile.imread(out / "a_probabilities.tif")
    assert found.dtype == np.uint16
    assert abs(found / 65535 - truth).max() <= 0.5 / 65535 + 1e-7


def test_geotiffs_keep_their_place(tmp_path: Path, weights: Path, command: Command) -> None:
    shapely = pytest.importorskip("shapely", reason="needs the extra labels (shapely)")
    image, out = geotiff(tmp_path / "a.tif", pixels()), tmp_path / "out"
    words = ("--geotiff", "--polygons", "geojson", "--tolerance", 0, "--table", tmp_path / "x.csv")
    ended = command(predict.main, weights, image, "-o", out, *words)
    assert ended.status == 0, ended.err
    np.testing.assert_array_equal(tifffile.imread(out / "a.tif"), LABELS)
    found = json.loads((out / "a.geojson").read_text())
    assert found["crs"]["properties"]["name"] == "urn:ogc:def:crs:EPSG::32632"
    whole = shapely.union_all([shapely.geometry.shape(each["geometry"]) for each in found["features"]])
    assert whole.bounds == (500000, 5300000 - 5 * 0.25, 500000 + 7 * 0.5, 5300000)
    assert ",20,2.5,0.571429,1" in (tmp_path / "x.csv").read_text()
    (tmp_path / "x.csv").unlink()
    assert command(predict.main, weights, image, "-o", out, *words, "--skip-done").status == 0
    assert ",20,2.5,0.571429,1" in (tmp_path / "x.csv").read_text()
    plain = picture(tmp_path / "b.png")
    ended = command(predict.main, weights, plain, image, "-o", tmp_path / "other", "--geotiff")
    assert ended.status == 1
    assert ended.err.endswith("b.png: is not a readable TIFF file, which --geotiff needs (not a TIFF file).\n") or (
        "b.png: is not a readable TIFF" in ended.err
    )
    assert (tmp_path / "other" / "a.tif").exists() and not (tmp_path / "other" / "b.png").exists()


@pytest.mark.parametrize(
    "words, message",
    [
        (("--only", "red,gren"), "--only gren: the net has no such class; did you mean 'green'?"),
        (("--min-confidence", "2"), "--min-confidence is 2; expected 0 to 1"),
        (("--tolerance", "-1"), "--tolerance is -1; expected 0 or more"),
        (("--table", "no/such/folder.csv"), "there is no folder no/such"),
        (("--only", "red,,"), "'red,,' is not a list of names"),
    ],
)
def test_bad_options_end_before_the_net_runs(
    words: tuple[str, ...], message: str, tmp_path: Path, weights: Path, command: Command
) -> None:
    ended = command(predict.main, weights, picture(tmp_path / "a.png"), "-o", tmp_path / "out", *words)
    assert ended.status in (1, 2)
    assert message in ended.err
    assert not (tmp_path / "out").exists()


def test_several_workers_write_the_same_in_the_same_order(tmp_path: Path, weights: Path, command: Command) -> None:
    for seed in range(7):
        image = np.random.default_rng(seed).integers(0, 256, (9, 12 + seed, 3), dtype=np.uint8)
        (tmp_path / "in").mkdir(exist_ok=True)
        Image.fromarray(image).save(tmp_path / "in" / f"{seed}.png")
    (tmp_path / "in" / "3x.png").write_text("no picture")
    ended = {}
    for workers in (1, 3):
        words = ("--workers", workers, "--table", tmp_path / f"{workers}.csv", "--tile", 64)
        ended[workers] = command(predict.main, weights, tmp_path / "in", "-o", tmp_path / f"out{workers}", *words)
    assert ended[1].status == ended[3].status == 1
    assert ended[3].out == ended[1].out.replace("out1", "out3")
    assert (tmp_path / "1.csv").read_bytes() == (tmp_path / "3.csv").read_bytes()
    for path in (tmp_path / "out1").iterdir():
        assert path.read_bytes() == (tmp_path / "out3" / path.name).read_bytes()


def test_a_second_run_leaves_out_what_is_done(tmp_path: Path, weights: Path, command: Command) -> None:
    for name in ("a", "b"):
        picture(tmp_path / "in" / f"{name}.png")
    words = (weights, tmp_path / "in", "-o", tmp_path / "out")
    assert command(predict.main, *words).status == 0
    (tmp_path / "out" / "b_overlay.png").unlink()
    again = command(predict.main, *words, "--skip-done")
    assert "1 of 2 pictures have their results already" in again.err
    assert again.out.startswith(str(tmp_path / "in" / "b.png"))
    assert command(predict.main, *words, "--skip-done").out == ""
    refused = command(predict.main, *words, "--skip-done", "--polygons", "coco")
    assert refused.status == 1 and "give one or the other" in refused.err


def test_the_table_of_a_run_in_two_parts_is_complete(tmp_path: Path, weights: Path, command: Command) -> None:
    for seed, name in enumerate(("a", "b", "sub/c")):
        path = tmp_path / "in" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(seed).integers(0, 256, (40, 30, 3), dtype=np.uint8)
        Image.fromarray(noise).save(path)
    out, table, found = tmp_path / "out", tmp_path / "t.csv", tmp_path / "j.json"
    words = (weights, tmp_path / "in", "-o", out, "--only", "green", "--min-area", 5, "--table", table, "--json", found)
    assert command(predict.main, *words).status == 0
    written = {path: path.read_bytes() for path in (*out.rglob("*.png"), table, found)}
    for path in (out / "a.png", table, found):
        path.unlink()
    again = command(predict.main, *words, "--skip-done")
    assert again.status == 0 and again.out.count(" -> ") == 1, again.err
    assert {path: path.read_bytes() for path in (*out.rglob("*.png"), table, found)} == written
    # Results of other options, and damaged ones, are named; the others are in the table.
    Image.fromarray(np.full((40, 30), 1, np.uint8)).save(out / "a.png")
    Image.fromarray(np.full((40, 30), 0, np.uint8)).save(out / "b.png")
    (out / "sub" / "c.png").write_bytes(written[out / "sub" / "c.png"][:60])
    again = command(predict.main, *words, "--skip-done")
    assert again.status == 1 and "1 of 3 pictures segmented: 2 problems" in again.err
    assert "b.png: was written by another net or with other options, because it has pixels of red" in again.err
    assert "c.png: is damaged" in again.err
    assert len(table.read_text().splitlines()) == 2


def test_polygons_without_their_library_end_first(
    tmp_path: Path, weights: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "shapely", None)
    ended = command(predict.main, weights, picture(tmp_path / "a.png"), "-o", tmp_path / "out", "--polygons", "geojson")
    assert ended.status == 1 and "pip install 'fcnlite[labels]'" in ended.err
    assert not (tmp_path / "out").exists()


def test_files_of_all_pictures_may_be_in_the_new_folder(tmp_path: Path, weights: Path, command: Command) -> None:
    out = tmp_path / "out"
    words = ("--table", out / "areas.csv", "--json", out / "found.json")
    assert command(predict.main, weights, picture(tmp_path / "a.png"), "-o", out, "--no-overlay", *words).status == 0
    assert sorted(path.name for path in out.iterdir()) == ["a.png", "areas.csv", "found.json"]
