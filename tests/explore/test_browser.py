"""The page in a browser: what it shows are the engine's numbers. A short test; the long ones are slow."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fcnlite
from fcnlite import plots
from fcnlite.data.shapes import Shapes
from tests.explore import test_functions, wrong_uploads
from tests.explore.browsing import ROOT, canvas_pixels, check_layout, explorer, open_view, page_of, settled
from tests.explore.conftest import png
from tests.explore.wrong_uploads import Upload

SHAPES = ROOT / "weights" / "shapes-fcn8s.h5"
VIEWS = ("graph", "layer", "pixel", "number", "skips")


@pytest.fixture(scope="module")
def address(browser: Any) -> Iterator[str]:
    with explorer() as (found, _):
        yield found


@pytest.fixture
def page(browser: Any, address: str) -> Iterator[Any]:
    with page_of(browser, address) as found:
        yield found


def test_a_picture_is_segmented_and_a_number_taken_apart(browser: Any, address: str) -> None:
    sample = Shapes("test", size=320, scene=True)[0]
    segmenter = fcnlite.Segmenter(SHAPES)
    labels = segmenter(sample.images["data"])
    with page_of(browser, address) as page:
        expected = plots.overlay(sample.images["data"], labels, segmenter.classes, segmenter.colors)
        difference = np.abs(canvas_pixels(page, "#segmented").astype(int) - np.asarray(expected))
        assert difference.max() <= 1  # rounding of halves
        box = page.locator("#segmented").bounding_box()
        page.mouse.click(box["x"] + box["width"] * (240.5 / 480), box["y"] + box["height"] * (100.5 / 320))
        page.wait_for_selector('#probe[data-pixel="100,240"]')
        first = page.locator("#probe tbody tr").first
        assert first.get_attribute("data-class") == str(labels[100, 240])
        page.click('[data-id="upscore2"]')
        settled(page)
        assert "transposed convolution" in page.inner_text(".formula")
        open_view(page, "number")
        shown = page.locator("#number-result")
        assert float(shown.get_attribute("data-sum")) == pytest.approx(
            float(shown.get_attribute("data-value")), abs=1e-5
        )


@pytest.mark.slow
@pytest.mark.parametrize("width", [400, 1000, 2560])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_view_fits_and_can_be_used_without_a_mouse(
    browser: Any, address: str, width: int, scheme: str, language: str
) -> None:
    with page_of(browser, address, viewport={"width": width, "height": 900}, color_scheme=scheme) as page:
        page.select_option("#language", language)
        page.focus("#segmented")
        page.keyboard.press("ArrowDown")
        for name in VIEWS:
            open_view(page, name)
            check_layout(page, width)
        assert page.inner_text("#error") == ""
        chinese = re.search("[\u4e00-\u9fff]", page.inner_text("[role=tablist]"))
        assert bool(chinese) == (language == "zh")
        page.focus("#tab-skips")
        page.keyboard.press("ArrowRight")
        assert page.evaluate("document.activeElement.id") == "tab-graph"


@pytest.mark.slow
def test_dropped_files_and_wrong_files(browser: Any, tmp_path: Path) -> None:
    with explorer() as (address, _), page_of(browser, address) as page:
        drop_files(page, tmp_path)


def drop_files(page: Any, tmp_path: Path) -> None:
    sample = Shapes("val", size=96)[3]
    image, label = sample.images["data"], sample.labels["label"]
    page.evaluate(
        """([image, label]) => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([new Uint8Array(image)], "mine.png"));
            transfer.items.add(new File([new Uint8Array(label)], "truth.png"));
            const drop = new DragEvent("drop", { dataTransfer: transfer, bubbles: true });
            document.querySelector("#drop").dispatchEvent(drop);
        }""",
        [png(image).tolist(), png(label).tolist()],
    )
    page.wait_for_function("() => document.querySelector('#facts').textContent.includes('IU')")
    settled(page)
    assert page.inner_text("#facts").startswith("mine.png, 96×96")
    predicted = fcnlite.Segmenter(SHAPES)(image)
    page.select_option("#view", "errors")
    settled(page)
    expected = np.asarray(plots.errors(image, label, predicted)).astype(int)
    assert np.abs(canvas_pixels(page, "#segmented") - expected).max() <= 1
    small = png(np.zeros((37, 50, 3), np.uint8)).tobytes()
    page.set_input_files("#file", {"name": "small.png", "mimeType": "image/png", "buffer": small})
    page.wait_for_function("() => document.querySelector('#facts').textContent.startsWith('small.png')")
    settled(page)
    for language in ("en", "zh"):
        page.select_option("#language", language)
        for selector, uploads in (("#file", wrong_uploads.PICTURES), ("#truth-file", wrong_uploads.TRUTHS)):
            for wrong in uploads:
                refuse(page, selector, wrong, language)
    page.select_option("#language", "en")
    large = tmp_path / "large.png"
    large.write_bytes(bytes((32 << 20) + 1))
    page.set_input_files("#file", large)
    page.wait_for_selector("#error p")
    assert "more than 32 MB" in page.inner_text("#error p")
    assert page.inner_text("#facts").startswith("small.png")


def refuse(page: Any, selector: str, wrong: Upload, language: str) -> None:
    """Upload a file that the page refuses with one sentence, in its language."""
    name = re.split(r"[/\\\\]", wrong.name)[-1]  # a browser passes on no folder
    page.set_input_files(selector, {"name": name, "mimeType": "", "buffer": wrong.content.tobytes()})
    page.wait_for_selector("#error p")
    settled(page)
    text = page.inner_text("#error p")
    assert text.startswith(name) and "/proc" not in text and "\n" not in text
    assert re.search(wrong.words if language == "en" else "[\u4e00-\u9fff]", text) and "英文" not in text, text
    page.click("#error button")


@pytest.mark.slow
def test_a_broken_net_shows_its_graph_and_its_layers(browser: Any, tmp_path: Path) -> None:
    net = fcnlite.load(SHAPES)
    net.params["conv3_1"][0].data[...] = np.nan
    net.save(tmp_path / "broken.h5")
    with explorer(str(tmp_path / "broken.h5")) as (address, _), page_of(browser, address) as page:
        assert "holds NaN or infinity" in page.inner_text("#facts")
        page.uncheck("#stages")
        settled(page)
        page.click('[data-id="conv3_1"]')
        settled(page)
        page.wait_for_selector(".histogram")
        assert "NaN" in page.locator(".histogram").first.inner_text()
        for name in VIEWS:
            open_view(page, name)
            assert page.inner_text("#error") == ""


@pytest.mark.slow
def test_the_graph_is_searched_zoomed_collapsed_and_redrawn(page: Any) -> None:
    few = page.locator("#graph .node").count()
    page.uncheck("#stages")
    settled(page)
    many = page.locator("#graph .node").count()
    assert few < many == 33
    page.fill("#search", "skip")
    assert page.locator("#graph .node.match").count() == 2
    page.press("#search", "Enter")
    assert "skip" in page.evaluate("document.activeElement.dataset.id")
    width = page.evaluate("document.querySelector('#graph').getBoundingClientRect().width")
    page.fill("#zoom", "150")
    assert page.evaluate("document.querySelector('#graph').getBoundingClientRect().width") > width
    page.fill("#graph-height", "640")
    page.press("#graph-height", "Enter")
    page.press("#graph-height", "Tab")
    settled(page)
    assert "6×640×480" in page.text_content('[data-id="score"]')
    page.focus('[data-id="conv2_1"]')
    page.keyboard.press("Enter")
    settled(page)
    assert page.input_value("#layer") == "conv2_1"


@pytest.mark.slow
@pytest.mark.parametrize("layer", ["conv1_1", "pool2", "upscore8", "score"])
def test_a_number_is_stepped_through(page: Any, layer: str) -> None:
    net = fcnlite.load(SHAPES)
    open_view(page, "number")
    page.select_option("#number-layer", layer)
    settled(page)
    page.focus("#number-top")
    for key in ("ArrowRight", "ArrowDown", "ArrowLeft"):
        before = page.inner_text("#number-result"), page.input_value("#number-row"), page.input_value("#number-column")
        page.keyboard.press(key)
        settled(page)
        assert (page.input_value("#number-row"), page.input_value("#number-column")) != before[1:]
    row, column = int(page.input_value("#number-row")), int(page.input_value("#number-column"))
    value = float(page.get_attribute("#number-result", "data-value"))
    total = float(page.get_attribute("#number-result", "data-sum"))
    assert total == pytest.approx(value, abs=1e-3)
    if layer != "conv1_1":  # its value before the ReLU is not a blob of the net
        blob = test_functions.blob_of(net, Shapes("test", size=320, scene=True)[0].images["data"])
        expected = net.forward(data=blob, outputs=[layer])[layer][0, 0, row, column]
        assert value == pytest.approx(float(expected), abs=1e-3)
    if layer == "upscore8":
        assert page.locator(".kernel-frame").count() == 4


@pytest.mark.slow
def test_a_pixel_is_explained(page: Any) -> None:
    page.focus("#segmented")
    page.keyboard.press("Shift+ArrowRight")
    open_view(page, "pixel")
    page.wait_for_selector(".parts tbody tr")
    for line in page.locator(".parts tbody tr").all():
        *parts, total = [float(each.replace("−", "-")) for each in line.locator("td").all_inner_texts()]
        assert sum(parts) == pytest.approx(total, abs=0.02)
    page.select_option("#field-layer", "pool2")
    page.click("#run-field")
    page.wait_for_selector("#field canvas")
    assert len(page.get_attribute("#field", "data-nominal").split(",")) == 4
    page.click("#run-why")
    page.wait_for_selector("#why canvas")


@pytest.mark.slow
def test_skips_are_cut_and_compared(page: Any) -> None:
    open_view(page, "skips")
    page.wait_for_selector("[data-cut='2']")
    page.fill("#border", "0")
    whole = canvas_pixels(page, "#cuts")
    segmenter = fcnlite.Segmenter(SHAPES)
    labels = segmenter(Shapes("test", size=320, scene=True)[0].images["data"])
    np.testing.assert_array_equal(whole, np.array(segmenter.colors, np.uint8)[labels])
    page.fill("#border", "1000")
    assert (canvas_pixels(page, "#cuts") != whole).any()
    assert page.locator("#kernels .kernel").count() == 3


@pytest.mark.slow
def test_gradients_and_filters_of_a_layer(page: Any) -> None:
    page.click('[data-id="conv3_1"]')
    settled(page)
    page.click(".maps button >> nth=0")
    page.wait_for_selector(".large-map canvas")
    page.click("#run-gradients")
    page.wait_for_selector("#gradients canvas")
    marked = page.locator(".code li.marked").all_inner_texts()
    assert any("def forward" in each for each in marked)
    assert "fcnlite/layers/convolution.py" in page.inner_text(".source .at")


@pytest.mark.slow
def test_a_worker_that_ends_is_told_and_replaced(browser: Any) -> None:
    with explorer() as (address, process), page_of(browser, address) as page:
        (worker,) = [
            int(each)
            for each in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            if "spawn_main" in Path(f"/proc/{each}/cmdline").read_text()
        ]
        os.kill(worker, signal.SIGKILL)
        page.click("#tab-skips")
        page.wait_for_selector("#error p")
        page.click("#sample")
        page.wait_for_function("() => document.querySelector('#facts').textContent.startsWith('sample 2')")
        settled(page)
    assert process.returncode == 0 or process.returncode == -signal.SIGTERM or process.returncode == 143


@pytest.mark.slow
def test_no_answer_names_a_folder_of_the_machine(browser: Any, address: str) -> None:
    bodies: list[bytes] = []
    with browser.new_context() as context:
        page = context.new_page()
        page.on("response", lambda response: bodies.append(response.body()))
        page.goto(address)
        page.wait_for_selector("body[data-ready]")
        for name in VIEWS:
            open_view(page, name)
    assert len(bodies) > 20
    for word in (str(ROOT), str(Path.home()) + "/", "/site-packages", "/proc/", "/tmp/"):
        assert not any(word.encode() in body for body in bodies), word


@pytest.mark.slow
@pytest.mark.parametrize("view", VIEWS)
def test_another_net_in_every_view(browser: Any, view: str) -> None:
    with explorer() as (address, _), page_of(browser, address) as page:
        page.focus("#segmented")
        page.keyboard.press("ArrowDown")
        open_view(page, view)
        for name in ("em-membrane-fcn8s", "shapes-classifier", "shapes-fcn8s"):
            page.select_option("#weights", name)
            page.wait_for_function("(name) => document.querySelector('#weights').value === name", arg=name)
            settled(page)
            page.wait_for_timeout(300)
            settled(page)
            assert page.inner_text("#error") == "", name
        page.fill("#size", "50")
        page.wait_for_function("() => document.querySelector('#facts').textContent.includes('240×160')")
        settled(page)
        assert page.inner_text("#error") == ""
