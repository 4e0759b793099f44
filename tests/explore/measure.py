"""`python -m tests.explore.measure [NET]`: how long the page takes, in Chromium on this machine.

It prints the time to the first paint; for a 500×500 picture the time of the net alone, and that from the drop of the
file until the overlay is drawn, each the median of several; and the updates of the playground in a second of training.
"""

from __future__ import annotations

import base64
import statistics
import sys
from typing import Any

import numpy as np

from fcnlite.data.shapes import Shapes
from fcnlite.explore.inference.session import nearest
from tests.explore.browsing import chromium, explorer, page_of, settled, version
from tests.explore.conftest import png

REPEATS = 5
TRAINED = 20
"""Seconds of training in which updates are counted."""
GIVEN = """(text) => {
    globalThis.measured = new File([Uint8Array.from(atob(text), (each) => each.charCodeAt(0))], "measured.png");
}"""
SHOWN = """async () => {
    const { on, store } = await import("./store.js");
    const facts = document.querySelector("#facts");
    facts.textContent = "";
    const transfer = new DataTransfer();
    transfer.items.add(globalThis.measured);
    const began = performance.now();
    const drawn = new Promise((resolve) => new MutationObserver(() => resolve()).observe(facts, { childList: true }));
    document.querySelector("#drop").dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true }));
    await drawn;
    await new Promise(requestAnimationFrame);
    return [(performance.now() - began) / 1000, store.segmentation.seconds];
}"""
PAINT = """() => performance.getEntriesByName("first-contentful-paint")[0].startTime / 1000"""


def main(arguments: list[str]) -> None:
    picture = nearest(Shapes("test", size=512)[0].images["data"], 500, 500)
    noise = np.random.default_rng(0).integers(0, 9, picture.shape, dtype=np.uint8)
    content = png(np.clip(picture.astype(int) + noise, 0, 255).astype(np.uint8)).tobytes()
    with chromium() as browser:
        _measure_explorer(browser, arguments, content)
        with explorer("--playground") as (address, _), page_of(browser, address) as page:
            page.click("#start")
            page.wait_for_timeout(2000)
            first = version(page)
            page.wait_for_timeout(1000 * TRAINED)
            print(f"updates              {(version(page) - first) / TRAINED:.1f} a second")


def _measure_explorer(browser: Any, arguments: list[str], content: bytes) -> None:
    paints, waits, nets = [], [], []
    with explorer(*arguments) as (address, _):
        for _ in range(REPEATS):
            with page_of(browser, address) as page:
                paints.append(page.evaluate(PAINT))
                whole, net = _dropped(page, content)
                waits.append(whole)
                nets.append(net)
    print(f"first paint          {statistics.median(paints):.3f} s")
    print(f"500×500, net alone   {statistics.median(nets):.3f} s")
    print(f"500×500, until shown {statistics.median(waits):.3f} s")
    print(f"of that, not the net {statistics.median(a - b for a, b in zip(waits, nets, strict=True)):.3f} s")


def _dropped(page: Any, content: bytes) -> tuple[float, float]:
    """Seconds from a second drop, when plans exist, until the overlay is drawn, and those of them in the net."""
    page.evaluate(GIVEN, base64.b64encode(content).decode())
    page.evaluate(SHOWN)
    settled(page)  # the graph is drawn after the picture
    whole, net = page.evaluate(SHOWN)
    return whole, net


if __name__ == "__main__":
    main(sys.argv[1:])
