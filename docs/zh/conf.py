"""The Chinese book: docs/conf.py in another language. Its pages have the paths of the English pages they follow."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from conf import *  # noqa: F403

language = "zh_CN"
html_title = "fcnlite 教程"
exclude_patterns = []
