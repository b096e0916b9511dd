"""What the other side counts on: limits that no release may move, and what each protocol knows."""

from hypothesis import given
from hypothesis import strategies as st

from fieldsync.wire import frames, messages, protocols, row_batches

LIMITS = {
    frames: {"MAX_COMPRESSED": 1 << 16, "MAX_LARGE": 1 << 20, "MAX_PLAIN": 1 << 22},
    row_batches: {"MAX_ROWS": 20_000, "MAX_CELLS": 2_000_000, "MAX_BODIES": 1 << 25},
    messages: {
        "MOST_RANGES": 256, "MOST_WANTED": 200, "MOST_FORMER": 256, "MOST_PROBES": 256, "MOST_CHANNELS": 16_384, "MOST_TOLD": 1_024,
        "MOST_HEADS": 16_384, "MOST_RESERVED": 256, "RESERVED_KEY": 64, "RESERVED_DATA": 16_384, "MOST_FORMS": 1_000,
        "MOST_FORM_BYTES": 1 << 25, "MOST_UNITS": 16_384,
    },
}  # fmt: skip
"""Those of docs/formats: a program that sent more would be refused by all others, one that took less would refuse them."""


def test_limits_are_those_of_the_formats() -> None:
    """Each of them, to the last byte."""
    for module, limits in LIMITS.items():
        assert {name: getattr(module, name) for name in limits} == limits


def test_a_protocol_keeps_what_it_knows() -> None:
    """All that has been added since release 0.1 came with protocol 2, which programs of others speak, too."""
    known = {name: value for name, value in vars(protocols).items() if name.isupper()}
    assert (known.pop("PROTOCOL"), known.pop("OLDEST")) == (2, 1)
    assert len(known) > 10
    assert set(known.values()) == {2}


@given(st.binary(max_size=40))
def test_base64_survives_a_round_trip(data: bytes) -> None:
    """Of any length, without the padding that a header need not carry."""
    text = messages.to_base64(data)
    assert "=" not in text
    assert messages.from_base64(text) == data
