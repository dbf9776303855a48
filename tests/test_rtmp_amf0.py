from __future__ import annotations

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.media.rtmp.amf0 import AmfError, EcmaArray, decode, encode

VALUES = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.lists(VALUES, max_size=4))
def test_what_was_encoded_comes_back(values: list) -> None:
    # The end of an object is an empty name with an end marker, so no name of ours may be empty
    # and have a value that looks like it; none does.
    assert decode(encode(*values)) == values


@given(st.binary(max_size=200))
def test_any_bytes_are_values_or_an_error(data: bytes) -> None:
    try:
        decode(data)
    except AmfError:
        pass


def test_the_command_of_the_specification() -> None:
    assert encode("connect", 1) == b"\x02\x00\x07connect\x00\x3f\xf0" + bytes(6)
    assert encode({"app": "live"}) == b"\x03\x00\x03app\x02\x00\x04live\x00\x00\x09"
    assert encode(True, False, None) == b"\x01\x01\x01\x00\x05"


def test_numbers_are_doubles() -> None:
    assert decode(encode(25)) == [25.0]
    assert math.isnan(decode(b"\0" + struct.pack(">d", math.nan))[0])  # type: ignore[arg-type]


def test_long_text() -> None:
    text = "長" * 30_000
    assert encode(text)[0] == 12
    assert decode(encode(text)) == [text]


def test_metadata_is_an_array_with_names() -> None:
    data = encode(EcmaArray(width=512.0))
    assert data[:5] == b"\x08\x00\x00\x00\x01"
    assert decode(data) == [{"width": 512.0}]


def test_what_other_servers_send() -> None:
    assert decode(b"\x06") == [None]  # undefined
    assert decode(b"\x0b" + struct.pack(">d", 1000.0) + b"\0\0") == [1000.0]  # a date
    typed = b"\x10\x00\x01C" + encode({"a": 1.0})[1:]
    assert decode(typed) == [{"a": 1.0}]
    # An array that counts itself wrongly: its end decides.
    assert decode(b"\x08\x00\x00\x00\x00\x00\x01a\x05\x00\x00\x09") == [{"a": None}]


@pytest.mark.parametrize(
    "data",
    [
        b"\x00\x00",  # a number cut short
        b"\x02\x00\x09abc",  # a text longer than what there is
        b"\x03\x00\x01a",  # an object without an end
        b"\x0a\xff\xff\xff\xff",  # an array of four thousand million
        b"\x0a\x00\x00\x00\x01" * 5000,  # nested without end
        b"\x03\x00\x01a" * 5000,
        b"\x11\x01",  # AMF3
        b"\x07\x00\x01",  # a reference
    ],
)
def test_malformed_values(data: bytes) -> None:
    with pytest.raises(AmfError):
        decode(data)
