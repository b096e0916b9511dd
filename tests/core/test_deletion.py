"""Deletions carry a context per register: a write outside it keeps the record."""

from fieldsync.core.commit import FORMAT, Commit, Context, decode_commit, encode, state_of
from fieldsync.core.deletion import (
    deletion_value,
    has_seen,
    is_deletion,
    unseen_by_deletion,
    unseen_by_deletions,
    with_repeated,
)
from fieldsync.core.device_renewal import Renewal, collect_old_writes
from fieldsync.core.register import Value
from fieldsync.core.state import State, join_states

AMAL, BASIM, NEW = (bytes([n]) * 16 for n in (1, 2, 3))
RECORD = bytes(16)


def commit(device: bytes, seq: int, fields: dict[str, Value], context: tuple[Context, ...] = ()) -> Commit:
    """Return a commit, as its bytes are read."""
    made = Commit(FORMAT, device, seq, seq, "x", "household", 1, RECORD, None, dict(sorted(fields.items())), context)
    return decode_commit(encode(made))


MADE = commit(AMAL, 1, {"_code": "JBL-A-1-00", "location": "m", "size": 4})
EARLIER, LATER = commit(BASIM, 5, {"location": "waits"}), commit(BASIM, 7, {"address": "street"})


def joined(*commits: Commit) -> State:
    """Return what these commits say of the record."""
    state = state_of(commits[0])
    for one in commits[1:]:
        state, _ = join_states(state, state_of(one))
    return state


def test_an_unseen_write_between_two_seen_ones_keeps_the_record() -> None:
    """Basim's seventh commit was seen while his fifth was quarantined: once accepted, it keeps the record."""
    here = joined(MADE, LATER)
    removed = commit(AMAL, 2, {"_deleted": deletion_value("moved", here)})
    after = joined(MADE, LATER, removed)
    assert list(unseen_by_deletions(after)) == []
    taken = joined(MADE, LATER, removed, EARLIER)
    assert [(name, head.value) for name, head in unseen_by_deletions(taken)] == [("location", "waits")]


def test_a_removal_may_arrive_before_its_context() -> None:
    """The removal's context names a write not yet here, which covers an older one; neither keeps the record."""
    edit = commit(BASIM, 5, {"location": "m2"}, ((("location",), ((AMAL, 1),)),))
    other = commit(NEW, 1, {"location": "m3"}, ((("location",), ((AMAL, 1),)),))
    removed = commit(BASIM, 6, {"_deleted": deletion_value("moved", joined(MADE, edit))})
    assert list(unseen_by_deletions(joined(MADE, removed))) == []
    assert [head.value for _, head in unseen_by_deletions(joined(MADE, other, removed))] == ["m3"]
    assert [head.value for _, head in unseen_by_deletions(joined(MADE, other, removed, edit))] == ["m3"]


def test_what_another_decision_to_delete_says_keeps_no_record() -> None:
    """Two decide for a removal: neither has seen that the other decided; what somebody else edited meanwhile, neither."""
    here = joined(MADE)
    fields = {"_deleted": deletion_value("moved", here), "_decided/_deleted": {"from": []}}
    state = joined(MADE, commit(AMAL, 2, dict(fields)), commit(BASIM, 1, dict(fields)), commit(NEW, 1, {"size": 5}))
    assert [[name for name, _ in unseen_by_deletion(one, state)] for one in state.fields["_deleted"].heads] == [
        ["size"], ["size"]
    ]  # fmt: skip


def test_a_0_1_deletion_has_one_number_per_device() -> None:
    """That number applies to every register."""
    old: Value = {"reason": "moved", "saw": {AMAL.hex(): 1, BASIM.hex(): 7}}
    assert is_deletion(old)
    assert is_deletion(deletion_value("moved", joined(MADE)))
    assert not is_deletion({"reason": "moved", "saw": {}, "registers": {"location": 5}})
    removed = commit(AMAL, 2, {"_deleted": old})
    assert list(unseen_by_deletions(joined(MADE, LATER, removed, EARLIER))) == []
    newer = commit(BASIM, 8, {"location": "new"})
    assert [head.value for _, head in unseen_by_deletions(joined(MADE, LATER, removed, newer))] == ["new"]


def test_a_renamed_field_stays_in_a_deletion_s_context() -> None:
    """A form renames a field after the removal: its writes still count as seen."""
    here = joined(MADE, LATER)
    removed = commit(AMAL, 2, {"_deleted": deletion_value("moved", here)})
    state = joined(MADE, LATER, removed)
    renamed = state._replace(fields={("street" if n == "address" else n): r for n, r in state.fields.items()})
    assert [name for name, _ in unseen_by_deletions(renamed)] == ["street"]
    assert list(unseen_by_deletions(renamed, lambda name: "street" if name == "address" else name)) == []


def test_a_renewed_device_s_deletion_names_its_own_writes() -> None:
    """A copied laptop becomes a new device: its deletion's context is renamed register by register."""
    shared = collect_old_writes([MADE])
    edit = commit(AMAL, 3, {"location": "mine"}, ((("location",), ((AMAL, 1),)),))
    here = joined(MADE, edit)
    removed = commit(AMAL, 4, {"_deleted": deletion_value("moved", here)})
    renewal = Renewal(AMAL, 2, NEW, [3, 4])
    again = [renewal.rename_commit(one, shared, None) for one in (edit, removed)]
    state = joined(MADE, *again)
    assert [one.device for one in again] == [NEW, NEW]
    assert list(unseen_by_deletions(state)) == []
    other = commit(BASIM, 1, {"location": "unseen"}, ((("location",), ((AMAL, 1),)),))
    assert [head.value for _, head in unseen_by_deletions(joined(MADE, *again, other))] == ["unseen"]


def test_a_deletion_covers_re_issued_commits_of_its_context_only() -> None:
    """A server re-issues Basim's writes: the seventh was seen, also in 0.1's form, the eighth was not."""
    repeated = {"address": {(BASIM, 7): (NEW, 4), (BASIM, 8): (NEW, 5)}, "size": {(AMAL, 1): (NEW, 3)}}
    old: Value = {"reason": "moved", "saw": {AMAL.hex(): 1, BASIM.hex(): 7}}
    for value in (deletion_value("moved", joined(MADE, LATER)), old):
        again = with_repeated(value, repeated)
        assert is_deletion(again)
        assert [has_seen(again, "address", (NEW, seq)) for seq in (3, 4, 5)] == [True, True, False]
        assert [has_seen(again, "size", (NEW, seq)) for seq in (3, 4)] == [True, False]
        assert not has_seen(again, "location", (NEW, 1))
        for name in ("address", "size", "location"):
            seen = [(device, seq) for device in (AMAL, BASIM) for seq in (1, 5, 7, 8)]
            assert [has_seen(again, name, dot) for dot in seen] == [has_seen(value, name, dot) for dot in seen]
    assert with_repeated(old, {"address": {(BASIM, 8): (NEW, 5)}}) == old
    assert with_repeated(None, repeated) is None
