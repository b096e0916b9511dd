"""Commits: a canonical encoding of one save, with limits that no device can exceed."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fieldsync import errors
from fieldsync.core import commit as commits
from fieldsync.core import stamp
from fieldsync.core.commit import Commit, state_of
from fieldsync.core.state import registers
from tests.histories import DEVICES, RECORD, WORLDS, World

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 63), (1 << 64) - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def saved(**changed: Any) -> Commit:
    """Return a sound commit, but for what is given."""
    parts = {
        "format": 1, "device": DEVICES[0], "seq": 7, "stamp": 5, "author": "Amal", "type": "household", "form": 1, "record": RECORD,
        "note": None, "fields": {"location": "جبلة"}, "context": ((("location",), ((DEVICES[1], 3),)),),
    }  # fmt: skip
    return Commit(**{**parts, **changed})


@settings(max_examples=150)
@given(WORLDS)
def test_a_commit_survives_a_round_trip(world: World) -> None:
    """Decoding and encoding give the same bytes, so that signed bytes can be rebuilt anywhere."""
    for one in world.commits:
        body = commits.encode(one)
        again = commits.decode_commit(body)
        assert again == one
        assert commits.encode(again) == body


@given(st.binary(max_size=300))
def test_random_bytes_are_refused(body: bytes) -> None:
    """Noise is refused with one of our errors."""
    with pytest.raises(errors.FieldsyncError):
        commits.decode_commit(body)


@settings(max_examples=300)
@given(st.data())
def test_a_changed_byte_never_reads_as_the_same_commit(data: st.DataObject) -> None:
    """It is refused, or another canonical commit."""
    body = bytearray(commits.encode(saved(note="زيارة")))
    at = data.draw(st.integers(0, len(body) - 1))
    body[at] ^= data.draw(st.integers(1, 255))
    try:
        again = commits.decode_commit(bytes(body))
    except errors.FieldsyncError:
        return
    assert commits.encode(again) == bytes(body)
    assert again != saved(note="زيارة")


@pytest.mark.parametrize(
    "changed",
    [
        {"device": b"short"}, {"record": b"x" * 17}, {"seq": 0}, {"seq": -1}, {"seq": 1 << 63}, {"stamp": -1},
        {"stamp": stamp.LARGEST + 1}, {"fields": {"b": 1, "a": 2}}, {"fields": {"location": float("nan")}},
        {"fields": {"location": float("inf")}}, {"fields": {"location": [[[[[[1]]]]]]}}, {"fields": {str(i): 1 for i in range(3_000)}},
        {"fields": {"location": {"a": {"b": {"c": {"d": {"e": {"f": {"g": 1}}}}}}}}}, {"context": ((("other",), ((DEVICES[1], 3),)),)},
        {"context": ((("location",), ((b"short", 3),)),)}, {"context": ((("location",), ((DEVICES[1], 0),)),)},
        {"context": ((("location",), ((DEVICES[1], 1 << 63),)),)},
    ],
)  # fmt: skip
def test_values_out_of_bounds_are_refused(changed: dict[str, Any]) -> None:
    """Ids, numbers, depths, names and contexts have limits; NaN is refused."""
    with pytest.raises((errors.BadFrame, errors.TooLarge)):
        commits.decode_commit(commits.encode(saved(**changed)))


def test_a_later_format_is_not_reported_as_damage() -> None:
    """A commit of a later program reports the versions."""
    with pytest.raises(errors.BadVersion) as caught:
        commits.decode_commit(commits.encode(saved(format=2)))
    assert caught.value.facts == {"what": "commit", "theirs": 2, "ours": 1}


def test_non_canonical_encodings_are_refused() -> None:
    """MessagePack has several encodings of one number: only the shortest is valid, or hashes would differ."""
    body = commits.encode(saved())
    longer = body.replace(b"\x07\x05", b"\xcc\x07\x05", 1)
    assert msgspec.msgpack.decode(longer) == msgspec.msgpack.decode(body)
    with pytest.raises(errors.BadFrame):
        commits.decode_commit(longer)
    with pytest.raises(errors.FieldsyncError):
        commits.decode_commit(body + b"\0")


def test_a_huge_commit_is_refused_before_it_is_read() -> None:
    """256 KiB are enough for one save; a program that accepted more would write what others refuse."""
    most = 256 * 1024
    rest = most - len(commits.encode(saved(fields={"location": "x" * 100_000}))) + 100_000
    largest, too_large = (commits.encode(saved(fields={"location": "x" * size})) for size in (rest, rest + 1))
    assert len(largest) == most
    assert commits.encode(commits.decode_commit(largest)) == largest
    with pytest.raises(errors.TooLarge):
        commits.decode_commit(too_large)


def test_deep_nesting_is_refused() -> None:
    """100,000 lists in each other end in an error, not in a crash."""
    with pytest.raises(errors.FieldsyncError):
        commits.decode_commit(b"\x91" * 100_000 + b"\x01")


@given(st.dictionaries(st.text(min_size=1, max_size=8), JSON, max_size=5), st.booleans())
def test_a_commit_s_state_has_exactly_its_writes(fields: dict[str, Any], makes: bool) -> None:
    """A head for each value with author and time; sets of a new record as members."""
    fields = dict(sorted({name.strip("/") or "x": value for name, value in fields.items()}.items()))
    if makes:
        fields = dict(sorted({**fields, "_code": "JBL-A-1-00"}.items()))
    state = state_of(saved(fields=fields, context=()))
    found = {name: register.heads[0].value for name, register in registers(state).items()}
    for name, value in fields.items():
        if makes and isinstance(value, list) and "/" not in name:
            assert all(found[f"{name}/{member}"] is True for member in value)
        else:
            assert found[name] == value
    assert all(head[:4] == (DEVICES[0], 7, 5, "Amal") for r in registers(state).values() for head in r.heads)


@given(
    st.dictionaries(
        st.sampled_from("abcdef"), st.dictionaries(st.sampled_from(DEVICES), st.integers(1, 9), max_size=3), max_size=5
    )
)
def test_grouping_contexts_is_lossless(seen: dict[str, dict[bytes, int]]) -> None:
    """Fields with equal contexts share one group."""
    groups = commits.group_contexts(seen)
    assert {name: dict(pairs) for names, pairs in groups for name in names} == {n: s for n, s in seen.items() if s}
    assert len({pairs for _, pairs in groups}) == len(groups)
    assert all(list(pairs) == sorted(pairs) for _, pairs in groups)
