"""A copied laptop's commits are re-issued in a new device's name: every dot that nobody else has is renamed, and nothing more."""

from fieldsync.core.commit import FORMAT, Commit, Context, decode_commit, encode, state_of
from fieldsync.core.device_renewal import Renewal, collect_old_writes
from fieldsync.core.register import Value
from fieldsync.core.settle import REOPENED
from fieldsync.core.state import State, canonical_bytes, join_all_states

AMAL, BASIM, NEW = (bytes([n]) * 16 for n in (0x1A, 0x2B, 0x3C))
LAST_SHARED, OWN = 2, [3, 4, 6]
"""Amal's last commit that both copies have, and the copy's own; the fifth is erased."""


def commit(device: bytes, seq: int, fields: dict[str, Value], *context: Context) -> Commit:
    """Return a commit, as its bytes are read."""
    made = Commit(
        FORMAT, device, seq, 100 + seq, "x", "household", 1, bytes(16), None, dict(sorted(fields.items())), context
    )
    return decode_commit(encode(made))


def head(device: bytes, seq: int, value: object) -> list[object]:
    """Return a head as a decision carries it."""
    return [device.hex(), seq, 100 + seq, "x", value]


def over(name: str, *pairs: tuple[bytes, int]) -> Context:
    """Return the context of one field."""
    return (name,), pairs


def joined(*commits: Commit) -> State:
    """Return what these commits say of the record."""
    return join_all_states([state_of(one) for one in commits])


def renewed(*own: Commit, shared: tuple[Commit, ...] = (), code: str | None = None) -> list[Commit]:
    """Return the new device's commits in place of these."""
    writes = collect_old_writes(shared)
    return [Renewal(AMAL, LAST_SHARED, NEW, OWN).rename_commit(one, writes, code) for one in own]


def test_a_state_is_renamed_as_its_commits_are() -> None:
    """Values, a tally's part, a log's entry, a decision and what it covers: one way leads to the other's bytes."""
    tally, entry = f"members/{AMAL.hex()}", f"notes/{AMAL.hex()[:8]}-6"
    made = commit(AMAL, 1, {"location": "Jableh", tally: 3})
    shared = made, commit(AMAL, 2, {"location": "Homs"}, over("location", (AMAL, 1)))
    theirs = commit(BASIM, 1, {"location": "Hama"}, over("location", (AMAL, 1)))
    edit = commit(AMAL, 3, {"location": "Tartus", tally: 5}, over("location", (AMAL, 2)))
    decided = commit(
        AMAL, 4, {"location": "Latakia", "_decided/location": {"heads": [head(AMAL, 3, "Tartus"), head(BASIM, 1, "Hama")]}},
        over("location", (AMAL, 3), (BASIM, 1)),
    )  # fmt: skip
    logged = commit(AMAL, 6, {entry: "visited"})
    state = joined(*shared, theirs, edit, decided, logged)
    again = Renewal(AMAL, LAST_SHARED, NEW, OWN).rename_state(state, collect_old_writes(shared), None)
    expected = joined(*shared, theirs, *renewed(edit, decided, logged, shared=shared))
    assert canonical_bytes(again) == canonical_bytes(expected)
    assert again.fields[f"notes/{NEW.hex()[:8]}-3"].heads[0].value == "visited"
    parts = {name: register.heads[0].value for name, register in again.fields.items() if "members/" in name}
    assert parts == {tally: 3, f"members/{NEW.hex()}": 2}  # together as many as before


def test_a_record_that_the_copy_made_is_the_new_device_s() -> None:
    """Its base bears the new device's number, and its new code; the old one stands in the note."""
    made = commit(AMAL, 3, {"_code": "JBL-A-3-00", "location": "Jableh"})
    again = Renewal(AMAL, LAST_SHARED, NEW, OWN).rename_state(joined(made), collect_old_writes(()), "JBL-C-1-00")
    assert again.base is not None
    assert again.base[:2] == (NEW, 1)
    assert again.values == {"_code": "JBL-C-1-00", "location": "Jableh"}
    (one,) = renewed(made, code="JBL-C-1-00")
    assert (one.note, canonical_bytes(state_of(one))) == ("(JBL-A-3-00)", canonical_bytes(again))


def test_a_record_that_both_copies_have_stays_the_old_device_s() -> None:
    """Made by Amal before the copy, or by Basim with a number behind it: neither base is renamed, nor is what Amal last wrote before it."""
    renewal = Renewal(AMAL, LAST_SHARED, NEW, OWN)
    fields: dict[str, Value] = {"_code": "JBL-A-3-00", "location": "Jableh"}
    edit = commit(AMAL, 2, {"size": 4})
    for commits in ([commit(AMAL, 2, fields)], [commit(AMAL, 1, fields), edit], [commit(BASIM, 7, fields), edit]):
        state = joined(*commits)
        assert renewal.rename_state(state, collect_old_writes(()), "JBL-C-1-00") == state


def test_heads_in_a_decision_are_renamed_one_by_one() -> None:
    """Only Amal's behind the last shared one, also within the value of another's; a head of another shape stays."""
    renewal, shared = Renewal(AMAL, LAST_SHARED, NEW, OWN), collect_old_writes(())
    inner = {REOPENED: [head(AMAL, 6, None)]}
    sent: list[object] = [head(AMAL, 2, "a"), head(AMAL, 4, "b"), head(BASIM, 4, "c"), head(BASIM, 9, inner), ["short"]]
    for key in ("heads", REOPENED):
        assert renewal.rename_value({key: sent, "from": [1]}, shared) == {
            key: [
                head(AMAL, 2, "a"),
                [NEW.hex(), 2, *head(AMAL, 4, "b")[2:]],
                head(BASIM, 4, "c"),
                head(BASIM, 9, {REOPENED: [[NEW.hex(), 3, *head(AMAL, 6, None)[2:]]]}),
                ["short"],
            ],
            "from": [1],
        }


def test_names_are_renamed_where_they_are_the_old_device_s_own() -> None:
    """Its part of a tally, its entries behind the last shared one; a member of a set may look like neither."""
    renewal = Renewal(AMAL, LAST_SHARED, NEW, OWN)
    mine, new, theirs = (device.hex() for device in (AMAL, NEW, BASIM))
    names = {
        "location": "location",
        f"members/{mine}": f"members/{new}",
        f"members/{theirs}": f"members/{theirs}",
        f"notes/{mine[:8]}-2": f"notes/{mine[:8]}-2",
        f"notes/{mine[:8]}-4": f"notes/{new[:8]}-2",
        f"notes/{theirs[:8]}-4": f"notes/{theirs[:8]}-4",
        "needs/food": "needs/food",
    }
    assert {name: renewal.rename_register(name) for name in names} == names
