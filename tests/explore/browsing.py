"""The explorer as a user starts it, and a headless Chromium that looks at it."""

from __future__ import annotations

import base64
import io
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SECONDS = 120
"""The longest that a test waits for one thing; a busy machine fails no test for being slow."""


@contextmanager
def explorer(*arguments: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Start `python -m fcnlite.explore` with these arguments; yields the address that it prints, and its process."""
    command = [sys.executable, "-m", "fcnlite.explore", "--no-browser", *arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT)
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert address.startswith("http://127.0.0.1:"), "the command printed no address"
        yield address, process
    finally:
        process.terminate()
        process.wait(SECONDS)


@contextmanager
def chromium() -> Iterator[Any]:
    """A headless Chromium; the test is skipped where there is none."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed (pip install 'fcnlite[browser]')"
    )
    own = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    with playwright.sync_playwright() as started:
        if own is None and not Path(started.chromium.executable_path).exists():
            pytest.skip("no Chromium is installed (apt-get install chromium, or playwright install chromium)")
        browser = started.chromium.launch(executable_path=own, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        with suppress(Exception):
            browser.close()


@contextmanager
def page_of(browser: Any, address: str, **options: Any) -> Iterator[Any]:
    """A page at an address, when it has shown its picture. Whatever its console reports as an error fails the test."""
    context = browser.new_context(**({"viewport": {"width": 1000, "height": 900}} | options))
    page = context.new_page()
    page.set_default_timeout(1000 * SECONDS)
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    try:
        page.goto(address)
        page.wait_for_selector("body[data-ready]")
        yield page
    finally:
        context.close()
    assert problems == []


def settled(page: Any) -> None:
    """Wait until nothing is computed for the page."""
    page.wait_for_function("() => !document.body.hasAttribute('aria-busy')")


def open_view(page: Any, name: str) -> None:
    """Open a tab and wait for its content."""
    page.click(f"#tab-{name}")
    settled(page)


def version(page: Any) -> int:
    """The number of frames of the training that the playground has got."""
    return int(page.get_attribute("#figures", "data-version"))


def canvas_pixels(page: Any, selector: str) -> np.ndarray:
    """The pixels of a canvas, H×W×3 uint8."""
    address = page.evaluate("(selector) => document.querySelector(selector).toDataURL()", selector)
    found: np.ndarray = np.array(Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))).convert("RGB"))
    return found


def check_layout(page: Any, width: int) -> None:
    """Check that a page fits into its width, and that all controls have names and all texts contrast."""
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(_NAMELESS) == []
    assert page.evaluate(_FAINT) == []


_NAMELESS = """() => [
        ...document.querySelectorAll("button, input, select, canvas[tabindex], [role=region], [role=img]")]
    .filter((each) => each.checkVisibility())
    .filter((each) => !(each.getAttribute("aria-label") || each.textContent.trim()))
    .filter((each) => !each.labels?.[0]?.textContent.trim())
    .map((each) => each.outerHTML.slice(0, 100))"""
"""Controls and pictures without a name for screen readers."""
_FAINT = """() => {
    const parsed = (text) => (text.match(/[\\d.]+/g) ?? [0, 0, 0, 0]).map(Number);
    const brightness = ([r, g, b]) => {
        const linear = (v) => (v <= 10 ? v / 3294.6 : ((v / 255 + 0.055) / 1.055) ** 2.4);
        const [x, y, z] = [r, g, b].map(linear);
        return 0.2126 * x + 0.7152 * y + 0.0722 * z;
    };
    const paper = (each) => {
        for (let at = each; at; at = at.parentElement) {
            const style = getComputedStyle(at);
            if (style.backgroundImage !== "none") return null;
            const color = parsed(style.backgroundColor);
            if (color.length < 4 && style.backgroundColor.startsWith("rgb(")) return color;
            if (color[3] > 0) return null; // a tint, whose strength says how large a value is
        }
        return [255, 255, 255];
    };
    const faint = [];
    for (const each of document.querySelectorAll("body *:not(svg *)")) {
        const own = [...each.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
        if (!own || !each.checkVisibility() || each.disabled) continue;
        const behind = paper(each);
        if (!behind) continue;
        const [a, b] = [brightness(parsed(getComputedStyle(each).color)), brightness(behind)].sort((x, y) => y - x);
        if ((a + 0.05) / (b + 0.05) < 4.5) faint.push(each.outerHTML.slice(0, 100));
    }
    return faint;
}"""
"""Texts with a contrast below 4.5 to 1."""
