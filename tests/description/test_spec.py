"""The description of a net: rules of phases, checks of names, JSON both ways."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fcnlite.description.spec import LayerSpec, NetSpec, ParamSpec, StateRule
from fcnlite.errors import FcnliteError, SpecError

NAMES = st.text(max_size=8)
FLOATS = st.floats(allow_nan=False)
STRINGS = st.lists(NAMES, max_size=2).map(tuple)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | FLOATS | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=2),
    max_leaves=4,
)
RULES = st.lists(
    st.builds(
        StateRule,
        phase=st.sampled_from([None, "TRAIN", "TEST"]),
        min_level=st.none() | st.integers(-3, 3),
        max_level=st.none() | st.integers(-3, 3),
        stage=STRINGS,
        not_stage=STRINGS,
    ),
    max_size=2,
).map(tuple)
LAYERS = st.builds(
    LayerSpec,
    name=NAMES,
    type=NAMES,
    bottom=STRINGS,
    top=STRINGS,
    options=st.dictionaries(NAMES, JSON, max_size=2),
    param=st.lists(
        st.builds(ParamSpec, name=NAMES, lr_mult=FLOATS, decay_mult=FLOATS, share_mode=NAMES), max_size=2
    ).map(tuple),
    loss_weight=st.lists(FLOATS, max_size=2).map(tuple),
    propagate_down=st.lists(st.booleans(), max_size=2).map(tuple),
    phase=st.sampled_from([None, "TRAIN", "TEST"]),
    include=RULES,
    exclude=RULES,
)
NETS = st.builds(
    NetSpec,
    name=NAMES,
    layers=st.lists(LAYERS, max_size=3, unique_by=lambda layer: layer.name).map(tuple),
    force_backward=st.booleans(),
)


def layer(name: str, bottom: str = "", top: str = "", **fields: Any) -> LayerSpec:
    return LayerSpec(name, "ReLU", tuple(bottom.split()), tuple(top.split()), **fields)


# JSON


@given(NETS)
def test_a_net_survives_json(net: NetSpec) -> None:
    assert NetSpec.from_json(net.to_json()) == net


def test_defaults_are_not_written() -> None:
    net = NetSpec("n", (LayerSpec("a", "ReLU", param=(ParamSpec(lr_mult=2.0),)),))
    assert json.loads(net.to_json()) == {
        "name": "n",
        "layers": [{"name": "a", "type": "ReLU", "param": [{"lr_mult": 2.0}]}],
    }


@given(JSON | st.fixed_dictionaries({"layers": JSON | st.lists(st.dictionaries(NAMES, JSON), max_size=2)}))
def test_any_other_json_is_refused_or_read(value: Any) -> None:
    try:
        assert isinstance(NetSpec.from_json(json.dumps(value)), NetSpec)
    except FcnliteError as error:
        assert str(error)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "net: expected a mapping, found list"),
        ('{"nam": "x"}', "net: unknown field 'nam'; did you mean 'name'"),
        ('{"name": 1}', "field 'name' is not usable .expected str"),
        ('{"force_backward": 1}', "expected bool"),
        ('{"layers": 1}', "field 'layers' is not usable"),
        ('{"layers": [1]}', "LayerSpec: expected a mapping, found int"),
        ('{"layers": [{"name": "a"}]}', "LayerSpec: a field is missing"),
        ('{"layers": [{"name": "a", "type": "x", "bottom": "data"}]}', "list of strings"),
        ('{"layers": [{"name": "a", "type": "x", "options": []}]}', "expected a mapping"),
        ('{"layers": [{"name": "a", "type": "x", "loss_weight": [true]}]}', "expected float"),
        ('{"layers": [{"name": "a", "type": "x", "loss_weight": 1}]}', "list of numbers"),
        ('{"layers": [{"name": "a", "type": "x", "propagate_down": "no"}]}', "list of true and false"),
        ('{"layers": [{"name": "a", "type": "x", "propagate_down": [1]}]}', "list of true and false"),
        ('{"layers": [{"name": "a", "type": "x", "param": [{"lr_mult": true}]}]}', "expected float"),
        ('{"layers": [{"name": "a", "type": "x", "loss_weight": [1' + "0" * 400 + "]}]}", "not usable"),
        ('{"layers": [{"name": "a", "type": "x", "include": [{"min_level": true}]}]}', "expected int"),
        ('{"layers": [{"name": "a", "type": "x"}, {"name": "a", "type": "y"}]}', "two layers have this name"),
    ],
)
def test_wrong_descriptions_say_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        NetSpec.from_json(text)


# Names and blobs


def test_layers_are_found_by_name() -> None:
    net = NetSpec("n", (layer("conv1"), layer("conv2")))
    assert net.layer("conv2") is net.layers[1]
    assert list(net) == list(net.layers)
    with pytest.raises(SpecError, match="no layer is called 'conf1'; did you mean 'conv1'"):
        net.layer("conf1")


def test_one_name_may_serve_two_phases() -> None:
    train = layer("data", top="data", include=(StateRule("TRAIN"),))
    test = layer("data", top="data", include=(StateRule("TEST"),))
    net = NetSpec("n", (train, test))
    assert net.for_phase("TRAIN").layers == (train,)
    assert net.for_phase("TEST").layers == (test,)


def test_one_name_may_not_serve_one_phase_twice() -> None:
    net = NetSpec("n", (layer("a", top="x"), layer("a", top="y", include=(StateRule("TEST"),))))
    assert len(net.for_phase("TRAIN").layers) == 1
    with pytest.raises(SpecError, match="'a': two layers have this name in phase TEST"):
        net.for_phase("TEST")


def test_a_bottom_must_be_made_before() -> None:
    net = NetSpec("n", (layer("data", top="data"), layer("relu", "dat", "out")))
    message = "'relu': no layer before it makes its bottom 'dat'; did you mean 'data'"
    with pytest.raises(SpecError, match=message):
        net.for_phase("TEST")


def test_a_top_is_made_once_or_written_in_place() -> None:
    data = layer("data", top="data")
    in_place = NetSpec("n", (data, layer("relu", "data", "data")))
    assert in_place.for_phase("TEST") == in_place
    with pytest.raises(SpecError, match="'other': top 'data' is already made"):
        NetSpec("n", (data, layer("other", top="data"))).for_phase("TEST")


@pytest.mark.parametrize("field", ["name", "type", "bottom", "top"])
def test_names_beyond_all_measure_are_refused(field: str) -> None:
    long = "x" * 501
    with pytest.raises(SpecError, match="longer than 500") as caught:
        NetSpec("n", (LayerSpec(**{"name": "a", "type": "b", field: long if field in ("name", "type") else (long,)}),))
    assert len(str(caught.value)) < 200


def test_an_unknown_phase_is_refused() -> None:
    with pytest.raises(SpecError, match="phase 'test': expected TRAIN or TEST"):
        NetSpec().for_phase("test")


# Rules


@pytest.mark.parametrize(
    ("rule", "level", "stages", "met"),
    [
        (StateRule(), 0, "", True),
        (StateRule("TEST"), 0, "", True),
        (StateRule("TRAIN"), 0, "", False),
        (StateRule(min_level=1), 0, "", False),
        (StateRule(min_level=1), 1, "", True),
        (StateRule(max_level=1), 2, "", False),
        (StateRule(max_level=0), 0, "", True),
        (StateRule(stage=("a", "b")), 0, "a", False),
        (StateRule(stage=("a", "b")), 0, "a b c", True),
        (StateRule(not_stage=("a",)), 0, "b", True),
        (StateRule(not_stage=("a",)), 0, "a b", False),
    ],
)
def test_rules(rule: StateRule, level: int, stages: str, met: bool) -> None:
    """Caffe's Net::StateMeetsRule, in phase TEST."""
    included = NetSpec("n", (layer("a", include=(rule,)),)).at(level, stages.split()).for_phase("TEST")
    excluded = NetSpec("n", (layer("a", exclude=(rule,)),)).at(level, stages.split()).for_phase("TEST")
    assert len(included.layers) == met
    assert len(excluded.layers) == (not met)


def test_any_one_rule_is_enough() -> None:
    rules = (StateRule("TRAIN"), StateRule(stage=("deploy",)))
    net = NetSpec("n", (layer("a", include=rules),))
    assert len(net.for_phase("TRAIN").layers) == 1
    assert len(net.for_phase("TEST").layers) == 0
    assert len(net.at(stages=["deploy"]).for_phase("TEST").layers) == 1


def test_stages_add_to_those_that_a_net_has() -> None:
    rule = StateRule(stage=("color", "deploy"))
    net = NetSpec("n", (layer("a", include=(rule,)),), stage=("color",), level=3)
    assert len(net.for_phase("TEST").layers) == 0
    deployed = net.at(stages=["deploy"])
    assert len(deployed.for_phase("TEST").layers) == 1
    assert (deployed.level, net.at(5).level) == (3, 5)
    assert NetSpec.from_json(deployed.to_json()) == deployed


def test_a_layer_has_one_kind_of_rule() -> None:
    net = NetSpec("n", (layer("a", include=(StateRule("TEST"),), exclude=(StateRule("TRAIN"),)),))
    with pytest.raises(SpecError, match=r"'a'.*include and exclude"):
        net.for_phase("TEST")
