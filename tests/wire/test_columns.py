"""Columns: every value comes back as it was, its type included, whatever encoding a column has chosen."""

import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldsync import errors
from fieldsync.core import codes
from fieldsync.wire import columns

TEXTS = st.one_of(
    st.text(),
    st.sampled_from(
        [
            "",
            " ",
            "\n",
            "\0",
            " \n ",
            "a \n b",
            "007",
            "7",
            "1\n2",
            "٠٠٧",
            "محمد",
            "محمد أحمد",
            "+963944123456",
            "2026-01-02",
        ]
    ),
    st.from_regex(r"\A[0-9]{1,20}\Z"),
    st.from_regex(r"\A\+963[0-9]{9}\Z"),
    st.from_regex(r"\A20[0-9]{2}-[01][0-9]-[0-3][0-9]\Z"),
    st.from_regex(r"\A[a-c]{1,3}( [a-c]{1,3}){0,3}\Z"),
    st.builds(
        codes.make_code, st.sampled_from(["LAT/JBL", "X"]), st.sampled_from(["A", "BC"]), st.integers(1, 999_999)
    ),
    st.from_regex(r"\AJBL-A-[0-9]{1,3}-[0-9A-Z]{2}\Z"),
)
NUMBERS = st.one_of(
    st.integers(-(1 << 63), (1 << 64) - 1), st.integers(-3, 300), st.sampled_from([0, -1, (1 << 63) - 1, 1 << 63, (1 << 64) - 1, -(1 << 63)]),
)  # fmt: skip
DECIMALS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False), st.sampled_from([0.0, -0.0, 1.0, 0.1, 0.30000000000000004, 1e-9, 1e300, 5e-324]),
    st.decimals(-9999, 9999, places=2).map(float),
)  # fmt: skip
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, DECIMALS, TEXTS)
NESTED = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3), max_leaves=5
)
COLUMNS = st.one_of(
    *(st.lists(kind, min_size=1, max_size=40) for kind in (TEXTS, NUMBERS, DECIMALS, SCALARS, NESTED, st.booleans())),
    *(st.lists(kind | st.none(), min_size=1, max_size=40) for kind in (TEXTS, NUMBERS, DECIMALS)),
    st.tuples(st.sampled_from([[1, True, 1.0], ["a", "b"], [0.0, -0.0], ["07", "007"], [None, ""], [[], None]]), st.integers(1, 400)).map(
        lambda pair: (pair[0] * pair[1])[: 2 * pair[1]]
    ),
    st.tuples(st.integers(-5, 1 << 62), st.integers(-9, 9), st.integers(1, 50)).map(lambda t: [t[0] + t[1] * i for i in range(t[2])]),
    st.integers(1, 60).map(lambda n: [codes.make_code("LAT/JBL", "AK", i + 1) for i in range(n)]),
    st.lists(st.sampled_from(["محمد أحمد", "محمد علي", "علي أحمد", "أحمد محمد علي"]), min_size=2, max_size=300),
)  # fmt: skip


def exact(value: Any) -> Any:
    """Return a value so that 1, 1.0, True and -0.0 are told apart."""
    if isinstance(value, list):
        return [exact(item) for item in value]
    if isinstance(value, dict):
        return {name: exact(item) for name, item in value.items()}
    return type(value), math.copysign(1, value) if isinstance(value, float) else 0, value


@given(COLUMNS)
def test_a_column_survives_a_round_trip(values: list[Any]) -> None:
    """The same values of the same types in the same order."""
    assert exact(columns.decode_column(columns.encode_column(values), len(values))) == exact(values)


@pytest.mark.parametrize(
    ("values", "tag"),
    [
        ([1, 1, 1], columns.CONST), (["a"], columns.CONST), ([None, None], columns.CONST), ([True, True], columns.CONST),
        ([1, None, 3], columns.NULLABLE), ([5, 900, 2], columns.INTEGERS), ([100, 101, 102, 103], columns.INTEGERS),
        ([0.5, 1.25, 7.0], columns.DECIMALS), (["x", "y"] * 9, columns.CHOICES), (["2026-01-02", "2026-03-04"], columns.DIGITS),
        (["007", "012"], columns.DIGITS), (["7", "12"], columns.TEXTS), (["a", "b"], columns.TEXTS), (["a\0b", "c"], columns.RAW),
        ([1, 1.0], columns.RAW), ([True, 1], columns.RAW), ([0.0, -0.0], columns.RAW), ([[1], [1]], columns.RAW),
        ([-(1 << 63), 1 << 63], columns.RAW), ([codes.make_code("X", "A", 1), codes.make_code("X", "A", 2)], columns.CODES),
    ],
)  # fmt: skip
def test_each_kind_of_column_has_an_encoding(values: list[Any], tag: int) -> None:
    """Numbers as differences, dates as digits, few words as choices, anything else plain."""
    column = columns.encode_column(values)
    assert column[0] == tag
    assert exact(columns.decode_column(column, len(values))) == exact(values)


def test_names_are_encoded_by_words() -> None:
    """Names made of few words are sent as words and indexes, unless they contain separators."""
    first, last = [f"أحمد{i}" for i in range(20)], [f"الحسن{i}" for i in range(20)]
    names = [f"{a} {b}" for a in first for b in last]
    column = columns.encode_column(names)
    assert column[0] == columns.WORDS
    assert columns.decode_column(column, len(names)) == names
    for odd in ("a \n b", "\n", " \n", "a\nb", " \n \n "):
        assert columns.decode_column(columns.encode_column([*names, odd]), len(names) + 1) == [*names, odd]
    double = [*names, "two  spaces", " outer ", ""]
    assert columns.decode_column(columns.encode_column(double), len(double)) == double


@pytest.mark.parametrize(("words", "tag"), [(19, columns.WORDS), (20, columns.TEXTS)])
def test_words_are_listed_where_each_occurs_three_times(words: int, tag: int) -> None:
    """On average, with what stands between two names: else the list would be longer than what it saves."""
    known = [f"{letter}أحمد" for letter in "abcdefghijklmnopqrstuvwxyz"[: words - 1]]  # the separator is a word, too
    names = [f"{known[i % len(known)]} {known[(i * 7 + i // len(known)) % len(known)]}" for i in range(19)]
    names[0] += f" {known[1]}"
    column = columns.encode_column(names)
    assert (len(dict.fromkeys(" \n ".join(names).split(" "))), len(" \n ".join(names).split(" "))) == (words, 57)
    assert column[0] == tag
    assert columns.decode_column(column, len(names)) == names


def test_no_column_exceeds_the_decoder_s_limit() -> None:
    """Long repetitive texts are not packed into a bomb: an honest frame is never refused for its shape."""
    for values in (
        ["x" * 20_000] * 4_000,
        ["x" * 20_000, "y"] * 2_000,
        ["a b c " * 1_000 + str(i) for i in range(400)],
    ):
        column = columns.encode_column(values)
        assert columns.decode_column(column, len(values)) == values


def test_an_empty_column_is_empty() -> None:
    """No values are no values."""
    assert columns.decode_column(columns.encode_column([]), 0) == []


@pytest.mark.parametrize("other", [2, 255])
def test_masks_and_steps_are_0_or_1(other: int) -> None:
    """All readers refuse the same columns; what no version wrote is read by none."""
    for good, bad, count in (
        (column(columns.NULLABLE, (b"\x01\x00", column(columns.CONST, 7))), column(columns.NULLABLE, (bytes([other, 0]), column(columns.CONST, 7))), 2),
        (column(columns.INTEGERS, (1, 5, 1, 0, b"")), column(columns.INTEGERS, (other, 5, 1, 0, b"")), 3),
    ):  # fmt: skip
        assert len(columns.decode_column(good, count)) == count
        with pytest.raises(errors.BadFrame):
            columns.decode_column(bad, count)


@given(COLUMNS, st.integers(-3, 3).filter(bool))
def test_a_wrong_count_is_refused(values: list[Any], more: int) -> None:
    """A column with more or fewer values than declared, except a repeated one."""
    column = columns.encode_column(values)
    count = len(values) + more
    try:
        found = columns.decode_column(column, count)
    except errors.FieldsyncError:
        return
    assert len(found) == count


# --- what only an enemy sends -----------------------------------------------------------------------------------------


def column(tag: int, content: Any) -> bytes:
    """Return a column with any content."""
    return bytes([tag]) + msgspec.msgpack.encode(content)


@pytest.mark.parametrize(
    ("values", "content"),
    [
        ([5, 900, 2], (0, 0, 2, 2, b"\x03\x82\x00" + b"\x00\x03\x00")),
        ([100, 110, 121], (1, 100, 10, 1, b"\x00\x01")),
        ([1, 2, 3], (1, 1, 1, 0, b"")),
    ],
)
def test_integers_are_written_as_documented(values: list[int], content: tuple[Any, ...]) -> None:
    """Every program writes the same bytes: `first` is 0 where it says nothing."""
    assert columns.encode_column(values) == column(columns.INTEGERS, content)


def test_decimals_have_up_to_nine_places() -> None:
    """Also none, which no encoder of ours writes; more or fewer are refused."""
    for places, value in ((0, 7.0), (9, 0.000000007)):
        assert columns.decode_column(column(columns.DECIMALS, (places, column(columns.CONST, 7))), 1) == [value]
    assert columns.encode_column([0.123456789, 0.5])[0] == columns.DECIMALS
    assert columns.encode_column([0.1234567891, 0.5])[0] == columns.RAW
    for places in (-1, 10):
        with pytest.raises(errors.BadFrame):
            columns.decode_column(column(columns.DECIMALS, (places, column(columns.CONST, 7))), 1)


def nested(depth: int) -> bytes:
    """Return a nullable column inside of many others."""
    inner = column(columns.CONST, 1)
    for _ in range(depth):
        inner = column(columns.NULLABLE, (b"", inner))
    return inner


HOSTILE = {
    "a power of ten without end": (column(columns.DECIMALS, (1 << 40, column(columns.CONST, 1))), 1),
    "negative places": (column(columns.DECIMALS, (-5, column(columns.CONST, 1))), 1),
    "a million long words": (column(columns.WORDS, (["x" * 1_000_000], 1 << 20, column(columns.CONST, 0))), 1),
    "more words than there may be": (column(columns.WORDS, (["x"], 1 << 40, column(columns.CONST, 0))), 1),
    "less than no words": (column(columns.WORDS, (["x"], -5, column(columns.CONST, 0))), 1),
    "a long template": (column(columns.DIGITS, ("0" + "x" * 3_000_000, column(columns.CONST, 1))), 20_000),
    "a template of digits only": (column(columns.DIGITS, ("0" * 3_000_000, column(columns.CONST, 1))), 20_000),
    "digits that are no number": (column(columns.DIGITS, ("00", column(columns.CONST, "x" * 100_000))), 20_000),
    "more digits than the template": (column(columns.DIGITS, ("00", column(columns.CONST, 12_345))), 1),
    "long codes": (column(columns.CODES, (column(columns.CONST, "X" * 3_000_000), column(columns.CONST, 1))), 20_000),
    "codes of no number": (column(columns.CODES, (column(columns.CONST, "X-A"), column(columns.CONST, "x"))), 1),
    "a long value many times": (column(columns.CHOICES, (["x" * 1_000_000], bytes(20_000))), 20_000),
    "a constant many times": (column(columns.CONST, "x" * 3_000_000), 20_000),
    "choices that are not there": (column(columns.CHOICES, (["a"], b"\x05")), 1),
    "wide planes": (column(columns.INTEGERS, (0, 0, 0, 9, b"")), 1),
    "planes of no width": (column(columns.INTEGERS, (0, 0, 0, -1, b"")), 1),
    "short planes": (column(columns.INTEGERS, (0, 0, 0, 8, b"abc")), 1),
    "steps that are no number": (column(columns.INTEGERS, (1, "a", "b", 1, b"a")), 2),
    "sums beyond any number": (column(columns.INTEGERS, (1, (1 << 64) - 1, (1 << 64) - 1, 8, b"\xff" * 8 * 9)), 10),
    "an unknown encoding": (b"\xff\x01", 1),
    "no encoding": (b"", 1),
    "nothing behind the encoding": (bytes([columns.CONST]), 1),
    "a mask that promises more": (column(columns.NULLABLE, (b"\x01\x01", column(columns.RAW, [1]))), 2),
    "a mask of other bytes": (column(columns.NULLABLE, (b"\xff\xff", column(columns.CONST, 1))), 2),
    "a mask that is a list": (column(columns.NULLABLE, ([1 << 40], column(columns.CONST, 1))), 1),
    "columns in columns": (nested(300), 0),
    "columns in columns in columns": (nested(30_000), 0),
    "lists in lists": (bytes([columns.RAW]) + b"\x91" * 100_000 + b"\x01", 1),
    "text that is none": (bytes([columns.TEXTS]) + b"\xa2\xff\xfe", 1),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_column_is_cheap_and_harmless(name: str, costs: Any) -> None:
    """Bombs of every encoding end in one of our errors, or in the requested number of values."""
    content, count = HOSTILE[name]
    with costs(seconds=3, megabytes=80):
        try:
            found = columns.decode_column(content, count)
        except errors.FieldsyncError:
            return
        assert len(found) == count


@given(st.binary(max_size=60), st.integers(0, 20))
def test_random_bytes_are_refused_or_decoded_within_limits(content: bytes, count: int) -> None:
    """One of our errors, or the requested number of values."""
    try:
        assert len(columns.decode_column(content, count)) == count
    except errors.FieldsyncError:
        pass


@given(COLUMNS, st.data())
def test_a_damaged_column_breaks_nothing(values: list[Any], data: st.DataObject) -> None:
    """A changed byte decodes to an error of ours or to as many values as asked."""
    content = bytearray(columns.encode_column(values))
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        assert len(columns.decode_column(bytes(content), len(values))) == len(values)
    except errors.FieldsyncError:
        pass
