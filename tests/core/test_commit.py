"""Commits: what one save is, in bytes that have one form only, and in bounds that no device can break."""

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
def test_a_commit_is_read_back_as_it_was_written(world: World) -> None:
    """Bytes to commit to the same bytes: what was signed can be made again anywhere."""
    for one in world.commits:
        body = commits.encode(one)
        again = commits.decode_commit(body)
        assert again == one
        assert commits.encode(again) == body


@given(st.binary(max_size=300))
def test_random_bytes_are_no_commit(body: bytes) -> None:
    """Noise is refused with an error of ours."""
    with pytest.raises(errors.FieldsyncError):
        commits.decode_commit(body)


@settings(max_examples=300)
@given(st.data())
def test_a_commit_with_any_byte_changed_is_refused_or_another_canonical_one(data: st.DataObject) -> None:
    """A changed byte never reads as the same commit, and never breaks out of our errors."""
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
def test_what_is_out_of_bounds_is_refused(changed: dict[str, Any]) -> None:
    """Ids, numbers, depths, names and contexts have limits; NaN is no value."""
    with pytest.raises((errors.BadFrame, errors.TooLarge)):
        commits.decode_commit(commits.encode(saved(**changed)))


def test_another_format_is_told_apart_from_damage() -> None:
    """A commit of a later program is no damage: the versions are named."""
    with pytest.raises(errors.BadVersion) as caught:
        commits.decode_commit(commits.encode(saved(format=2)))
    assert caught.value.facts == {"what": "commit", "theirs": 2, "ours": 1}


def test_the_same_content_in_other_bytes_is_refused() -> None:
    """MessagePack has many spellings of one number: only the shortest is signed, or hashes would differ."""
    body = commits.encode(saved())
    longer = body.replace(b"\x07\x05", b"\xcc\x07\x05", 1)
    assert msgspec.msgpack.decode(longer) == msgspec.msgpack.decode(body)
    with pytest.raises(errors.BadFrame):
        commits.decode_commit(longer)
    with pytest.raises(errors.FieldsyncError):
        commits.decode_commit(body + b"\0")


def test_a_huge_commit_is_refused_before_it_is_read() -> None:
    """256 KiB are enough for one save."""
    with pytest.raises(errors.TooLarge):
        commits.decode_commit(commits.encode(saved(fields={"location": "x" * (300 * 1024)})))


def test_deep_nesting_is_refused() -> None:
    """100,000 lists in each other end in an error, not in a crash."""
    with pytest.raises(errors.FieldsyncError):
        commits.decode_commit(b"\x91" * 100_000 + b"\x01")


@given(st.dictionaries(st.text(min_size=1, max_size=8), JSON, max_size=5), st.booleans())
def test_a_commit_says_exactly_what_it_wrote(fields: dict[str, Any], makes: bool) -> None:
    """Its state has a head for each value with its author and time: plain ones as they are, a new record's sets as members."""
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
def test_contexts_are_grouped_and_lose_nothing(seen: dict[str, dict[bytes, int]]) -> None:
    """Fields that had seen the same share one group; writing the groups out gives what went in."""
    groups = commits.group_contexts(seen)
    assert {name: dict(pairs) for names, pairs in groups for name in names} == {n: s for n, s in seen.items() if s}
    assert len({pairs for _, pairs in groups}) == len(groups)
    assert all(list(pairs) == sorted(pairs) for _, pairs in groups)
