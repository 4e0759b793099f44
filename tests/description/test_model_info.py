"""Preprocessing and labels of a model: JSON both ways, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fcnlite.description.model_info import Labels, ModelInfo, Preprocessing
from fcnlite.errors import FcnliteError, SpecError

NAMES = st.text(max_size=8)
FLOATS = st.floats(allow_nan=False)
STRINGS = st.lists(NAMES, max_size=2).map(tuple)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | FLOATS | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=2),
    max_leaves=4,
)
CHANNELS = {"BGR": 3, "RGB": 3, "GRAY": 1}
PREPROCESSING = st.sampled_from(sorted(CHANNELS)).flatmap(
    lambda color: st.builds(
        Preprocessing,
        color=st.just(color),
        mean=st.tuples(*[FLOATS] * CHANNELS[color]),
        scale=FLOATS,
    )
)
INFOS = st.builds(
    ModelInfo,
    preprocessing=PREPROCESSING,
    classes=STRINGS,
    colors=st.lists(st.tuples(*[st.integers(0, 255)] * 3), max_size=2).map(tuple),
    record=st.dictionaries(NAMES, JSON, max_size=2),
)


@given(INFOS)
def test_information_survives_json(info: ModelInfo) -> None:
    assert ModelInfo.from_json(info.to_json()) == info


@given(JSON | st.fixed_dictionaries({"preprocessing": JSON | st.dictionaries(NAMES, JSON)}))
def test_any_other_json_is_refused_or_read(value: Any) -> None:
    try:
        assert isinstance(ModelInfo.from_json(json.dumps(value)), ModelInfo)
    except FcnliteError as error:
        assert str(error)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nothing", "not JSON"),
        ('{"colors": [[0, 0, 256]]}', "from 0 to 255"),
        ('{"colors": [[0, 0, "1"]]}', "from 0 to 255"),
        ('{"colors": [[0, 0]]}', "not usable"),
        ('{"preprocessing": {"color": "HSV"}}', "'HSV': expected BGR, RGB, GRAY, BANDS or DEPTH"),
        ('{"preprocessing": {"color": "GRAY"}}', "3 values; GRAY needs 1"),
        ('{"preprocessing": {"mean": ["a", 1, 2]}}', "expected float"),
        ('{"record": 3}', "expected a mapping"),
        ('{"preprocessing": {"bits": 12}}', "bits is 12 with BGR; expected 8, 16 or 32"),
        ('{"preprocessing": {"color": "DEPTH", "mean": [1]}}', "of DEPTH 16"),
        ('{"preprocessing": {"others": {"a": {"others": {"b": {}}}}}}', "one level"),
        ('{"preprocessing": {"others": {"a": {"color": "HSV"}}}}', "HSV"),
        ('{"more_labels": {"geo": {"colors": [[0]]}}}', "not usable"),
        ('{"more_labels": {"geo": 3}}', "expected a mapping"),
    ],
)
def test_wrong_information_says_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        ModelInfo.from_json(text)


def test_information_on_several_pictures_and_labels_survives_json() -> None:
    depth = Preprocessing(color="DEPTH", mean=(7.8,), bits=16)
    info = ModelInfo(
        Preprocessing(others={"depth": depth}),
        ("a", "b"),
        more_labels={"geo": Labels(("x", "y"), ((1, 2, 3), (4, 5, 6)))},
    )
    assert ModelInfo.from_json(info.to_json()) == info
    assert (info.preprocessing.of("depth"), info.preprocessing.of("color")) == (depth, info.preprocessing)
    assert info.labels("geo").classes == ("x", "y")
    assert info.labels("sem").classes == ("a", "b")
    assert "others" not in ModelInfo(Preprocessing(scale=2.0)).to_json()
