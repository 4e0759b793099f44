"""Label maps of a folder of pictures with ONNX Runtime, as a careful user would write the script.

`python -m benchmarks.onnx_folder NET.onnx SETTINGS.json FOLDER OUT --threads N --sessions N` runs it. The net ends with
ArgMax. Decoding, computing and encoding of different pictures overlap: `sessions` pictures are in the net at the same
time, with an equal part of the threads each, and one more is being read or written. It imports nothing of fcnlite.
"""

from __future__ import annotations

import argparse
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image


def main() -> None:
    parser = argparse.ArgumentParser("python -m benchmarks.onnx_folder", description=__doc__)
    for name in ("net", "settings", "folder", "out"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--sessions", type=int, required=True)
    options = parser.parse_args()
    settings = json.loads(options.settings.read_text())
    mean = np.array(settings["mean"], np.float32)[:, None, None]
    session_options = onnxruntime.SessionOptions()
    session_options.intra_op_num_threads = max(1, options.threads // options.sessions)
    session = onnxruntime.InferenceSession(options.net, session_options, providers=["CPUExecutionProvider"])
    turns = threading.Semaphore(options.sessions)
    options.out.mkdir(parents=True, exist_ok=True)

    def segment(path: Path) -> None:
        with Image.open(path) as image:
            pixels = np.asarray(image.convert("RGB"))
        data = pixels.transpose(2, 0, 1)[::-1] - mean  # blue, green, red
        with turns:
            (labels,) = session.run(None, {"data": data[None]})
        picture = Image.fromarray(labels[0].astype(np.uint8))
        picture.putpalette(settings["palette"])
        picture.save(options.out / f"{path.stem}.png")

    with ThreadPoolExecutor(options.sessions + 1) as pool:
        for _ in pool.map(segment, sorted(options.folder.iterdir())):
            pass


if __name__ == "__main__":
    main()
