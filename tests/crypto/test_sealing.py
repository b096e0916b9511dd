"""Sealed values: equal under one name, and opened by their own key, purpose and name alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldsync import errors
from fieldsync.crypto.sealing import ValueSeal

KEY = bytes(range(32))
SETTINGS = ValueSeal(KEY, b"settings")


def test_sealed_values_are_frozen() -> None:
    """A store that any version wrote stays readable."""
    sealed = bytes.fromhex("2751d8ce9d809ed0e37802564ee7fd88542d92d1eb")
    assert SETTINGS.seal_value(b"epoch", b"seven") == sealed
    assert SETTINGS.open_value(b"epoch", sealed) == b"seven"


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_a_value_opens_under_its_name(name: bytes, value: bytes) -> None:
    """It takes 16 bytes more than the value, and is the same each time: the database can compare it."""
    sealed = SETTINGS.seal_value(name, value)
    assert len(sealed) == len(value) + 16
    assert sealed == ValueSeal(KEY, b"settings").seal_value(name, value)
    assert SETTINGS.open_value(name, sealed) == value


def test_another_key_purpose_or_name_opens_nothing() -> None:
    """Each is StoreDamaged, as changed bytes are."""
    sealed = SETTINGS.seal_value(b"epoch", b"seven")
    for seal, name, value in (
        (ValueSeal(bytes(32), b"settings"), b"epoch", sealed),
        (ValueSeal(KEY, b"database"), b"epoch", sealed),
        (SETTINGS, b"unit", sealed),
        (SETTINGS, b"epoch", sealed[:-1] + bytes([sealed[-1] ^ 1])),
    ):
        with pytest.raises(errors.StoreDamaged):
            seal.open_value(name, value)
