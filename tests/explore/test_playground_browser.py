"""The playground in a browser: train, pause, step, break, mend; what it shows are the engine's numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from fcnlite.explore import playground
from tests.explore.browsing import canvas_pixels, check_layout, explorer, page_of, settled

SMALL = "size=32&batch=2"


@pytest.fixture(scope="module")
def address(browser: Any) -> Iterator[str]:
    with explorer("--threads", "1", "--playground") as (found, _):
        assert found.endswith("/playground.html")
        yield found


def figure(page: Any, name: str) -> str:
    found: str = page.get_attribute("#figures", f"data-{name}")
    return found


def test_train_pause_step_break_and_mend(browser: Any, address: str) -> None:
    with page_of(browser, f"{address}#{SMALL}") as page:
        page.click("#start")
        page.wait_for_function("() => document.querySelector('#figures').dataset.iteration >= 3")
        page.click("#pause")
        page.wait_for_selector('#figures[data-status="paused"]')
        settled(page)
        page.click("#step")
        settled(page)
        iteration, loss = int(figure(page, "iteration")), float(figure(page, "loss"))
        play = playground.functions(threads=1)
        view = play["open"](dict(each.split("=") for each in SMALL.split("&")))
        frame: dict[str, Any] = {}
        for _ in range(iteration):
            frame = play["step"]()
        assert loss == frame["loss"] and float(figure(page, "mean-iu")) == frame["mean_iu"]
        prediction = canvas_pixels(page, ".held canvas:nth-of-type(3)")
        assert np.array_equal(prediction, view["colors"][frame["predictions"][0]])
        shown = page.locator("#gradients tr[data-layer] td:nth-of-type(2)").all()
        assert [float(each.get_attribute("data-value")) for each in shown] == pytest.approx(
            frame["gradients"].tolist(), rel=1e-6
        )
        play["start"].args[0].run.close()

        page.click("#script-box summary")
        page.wait_for_function("() => document.querySelector('#script').textContent.includes('solver.step')")
        page.fill("#set-rate", "5000")
        page.press("#set-rate", "Tab")
        page.wait_for_selector("#error p")
        assert page.inner_text("#error p") == "rate is '5000'; expected a number from 0 to 1000."
        assert int(figure(page, "iteration")) == iteration  # the training is still there

        page.select_option("#case", "3")
        page.wait_for_function("() => location.hash === '#case=3'")
        settled(page)
        page.click("#step")
        page.wait_for_selector('#figures[data-status="stopped"]')
        assert "255" in page.inner_text("#message")
        page.click("#hints")
        page.wait_for_selector('#findings li[data-id="void-not-ignored"]')
        page.select_option("#cause", "relu_dead")
        page.click("#answer")
        page.wait_for_selector("#result .alarm")
        page.select_option("#cause", "void_not_ignored")
        page.click("#answer")
        page.click("#mend")
        page.wait_for_function("() => location.hash === ''")
        settled(page)
        page.click("#step")
        page.wait_for_selector('#figures[data-iteration="1"]')
        token = address.split("/")[3]
        assert token not in page.input_value("#link")


@pytest.mark.slow
@pytest.mark.parametrize("width", [400, 1000, 2560])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_fits_and_can_be_used_without_a_mouse(
    browser: Any, address: str, width: int, scheme: str, language: str
) -> None:
    with page_of(browser, f"{address}#case=3", viewport={"width": width, "height": 900}, color_scheme=scheme) as page:
        page.select_option("#language", language)
        page.focus("#step")
        page.keyboard.press("Enter")
        page.wait_for_selector('#figures[data-status="stopped"]')
        page.focus("#hints")
        page.keyboard.press("Enter")
        page.wait_for_selector("#findings li")
        page.focus("#script-box summary")
        page.keyboard.press("Enter")
        settled(page)
        check_layout(page, width)
        assert bool(re.search("[\u4e00-\u9fff]", page.inner_text("#live-title"))) == (language == "zh")
