"""The table of Caffe's messages."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fcnlite.formats.caffe.messages import to_dict
from fcnlite.formats.caffe.schema import _ENUMS, _MESSAGES, enum_values, fields, message_class
from fcnlite.formats.caffe.text import parse_text


def test_fields_of_each_label() -> None:
    assert fields("BlobShape")["dim"].label == "packed"
    assert fields("ClipParameter")["min"].label == "required"
    assert fields("CropParameter")["offset"].label == "repeated"
    pool = fields("PoolingParameter")["pool"]
    assert (pool.number, pool.type, pool.label) == (1, "PoolingParameter.PoolMethod", "optional")
    assert fields("NetState")["phase"].type == "Phase"


def test_enums_keep_caffes_numbers() -> None:
    assert enum_values("ReductionParameter.ReductionOp") == {"SUM": 1, "ASUM": 2, "SUMSQ": 3, "MEAN": 4}
    assert enum_values("HingeLossParameter.Norm") == {"L1": 1, "L2": 2}
    assert enum_values("int32") == {}


@pytest.mark.parametrize("message", _MESSAGES)
def test_protobuf_class_agrees_with_the_table(message: str) -> None:
    descriptor = message_class(message).DESCRIPTOR
    assert {each.name: each.number for each in descriptor.fields} == {
        name: field.number for name, field in fields(message).items()
    }
    for name, field in fields(message).items():
        named = descriptor.fields_by_name[name]
        if field.is_message:
            assert named.message_type.name == field.type
        elif field.type in _ENUMS:
            assert {each.name: each.number for each in named.enum_type.values} == enum_values(field.type)


def test_wire_form_is_caffes() -> None:
    blob: Any = message_class("BlobProto")()
    blob.shape.dim.extend([1, 2])
    blob.data.extend([1.0, -2.0])
    packed_data = b"\x2a\x08" + b"\x00\x00\x80\x3f" + b"\x00\x00\x00\xc0"
    assert blob.SerializeToString() == packed_data + b"\x3a\x04" + b"\x0a\x02\x01\x02"


def test_files_of_caffe_have_no_unknown_field_and_agree_with_their_prototxt(shared: Path) -> None:
    """Names come from the text, numbers from the binary: that both agree proves the numbers."""
    from google.protobuf.unknown_fields import UnknownFieldSet

    def unknown(message: Any) -> int:
        inner = [value for field, value in message.ListFields() if fields_of(message)[field.name].is_message]
        parts = [part for value in inner for part in (value if hasattr(value, "add") else [value])]
        return len(UnknownFieldSet(message)) + sum(map(unknown, parts))

    def fields_of(message: Any) -> dict[str, Any]:
        return fields(message.DESCRIPTOR.name)

    compared = set()
    for path in sorted((shared / "reference/nets").glob("*/weights.caffemodel")):
        binary: Any = message_class("NetParameter")()
        binary.ParseFromString(path.read_bytes())
        assert unknown(binary) == 0
        text: Any = parse_text("NetParameter", path.with_name("net.prototxt").read_text(), path.parent.name)
        saved = {layer.name: layer for layer in binary.layer}
        for layer in text.layer:
            if layer.name not in saved:
                continue
            for field, value in layer.ListFields():
                if field.name.endswith("_param"):
                    assert to_dict(getattr(saved[layer.name], field.name)) == to_dict(value)
                    compared.add(field.name)
    assert {"convolution_param", "pooling_param", "crop_param", "lrn_param", "input_param"} <= compared


def test_importing_the_package_leaves_protobuf_alone() -> None:
    code = "import sys, fcnlite.caffe; sys.exit(any(name.startswith('google.protobuf') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
