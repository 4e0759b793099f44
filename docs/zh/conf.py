"""The Chinese book: docs/conf.py with another language. Its pages have the paths of the English pages that they follow."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from conf import *  # noqa: E402, F403

language = "zh_CN"
html_title = "fcnlite 教程"
exclude_patterns = []
