"""Case 50: a device inflates a record until every save by others would take seconds."""

from fieldsync.authority.integrity import check_integrity
from fieldsync.authority.value_permissions import MOST_REGISTERS
from fieldsync.core import codes
from fieldsync.replica import save
from fieldsync.replica.changes import Changes
from fieldsync.schema.model import Field, Type
from tests import directly
from tests.cast import JBL, rows
from tests.conftest import Cast
from tests.handmade import HandMade

_IN_ONE = 1_990  # a commit's most, but for what else it says


def with_field(people: Cast, kind: str, type: str = "") -> tuple[Type, Field]:
    """Return a type with a field of this kind."""
    return next(
        (one, field)
        for one in people.hq.schema.types.values()
        for field in one.fields.values()
        if field.kind == kind and type in ("", field.type)
    )


def begin(people: Cast, hand: HandMade, kind: Type) -> bytes:
    """Make a record of a type."""
    record = people.amal.new_id()
    made = {"_code": codes.make_code(JBL, people.amal.letters, 77), "_unit": JBL}
    assert hand.write(made, record=record, type=kind.name, form=kind.version) == ""  # type: ignore[arg-type]
    return record


def test_a_log_entry_has_its_commit_s_number(people: Cast) -> None:
    """Thousands of entries in one commit, or entries with another commit's number, are refused; our own commits are accepted."""
    hand = HandMade(people.amal, people.hq)
    kind, log = with_field(people, "log")
    record = begin(people, hand, kind)
    me, seq = people.amal.device.hex()[:8], hand._held()[0] + 1
    for i, ending in enumerate(("-9", "-1", "-x", "", "-{0}\x1b", "-0{0}", "-{0}-{0}")):
        name = me + ending.format(seq + i)
        assert (
            hand.write({f"{log.name}/{name}": "x"}, record=record, type=kind.name, form=kind.version) == "illegal_value"
        )
    many = {f"{log.name}/{me}-{seq + i}": "x" for i in range(_IN_ONE)}
    assert hand.write(many, record=record, type=kind.name, form=kind.version) == "illegal_value"  # type: ignore[arg-type]
    seq = hand._held()[0] + 1
    assert hand.write({f"{log.name}/{me}-{seq}": "x"}, record=record, type=kind.name, form=kind.version) == ""
    assert [one["text"] for one in rows(people.hq)[record].doc[log.name]] == ["x"]


def test_a_count_beyond_the_storable_range_is_refused(people: Cast) -> None:
    """2^64 - 1 in a tally would become a float in every table, so it is refused."""
    hand = HandMade(people.amal, people.hq)
    kind, tally = with_field(people, "tally")
    record = begin(people, hand, kind)
    part = f"{tally.name}/{people.amal.device.hex()}"
    for count, code in (((1 << 64) - 1, "illegal_value"), (-(1 << 63), "illegal_value"), (7, "")):
        assert hand.write({part: count}, record=record, type=kind.name, form=kind.version) == code
    assert rows(people.hq)[record].doc[tally.name] == 7


def test_a_record_s_size_is_limited(people: Cast) -> None:
    """Members are accepted up to the limit and refused with a reason beyond it; others keep working with the record."""
    hand = HandMade(people.amal, people.hq)
    kind, members = with_field(people, "set", "text")
    record = begin(people, hand, kind)
    refused = []
    for start in range(0, MOST_REGISTERS + 2 * _IN_ONE, _IN_ONE):
        fields = {f"{members.name}/m{i}": True for i in range(start, start + _IN_ONE)}
        refused.append(hand.write(fields, record=record, type=kind.name, form=kind.version))  # type: ignore[arg-type]
    taken = MOST_REGISTERS // _IN_ONE
    assert refused == [""] * taken + ["too_large"] * (len(refused) - taken)
    assert len(rows(people.hq)[record].state.fields) <= MOST_REGISTERS
    again = {f"{members.name}/m{i}": False for i in range(_IN_ONE)}  # what is there can be changed
    assert hand.write(again, record=record, type=kind.name, form=kind.version) == ""  # type: ignore[arg-type]
    directly.sync(people.basim, people.hq)
    save.edit_record(people.basim, record.hex(), Changes(put={members.name: ["m1"]}))
    assert directly.sync(people.basim, people.hq).refused == 0
    assert check_integrity(people.hq).ok
