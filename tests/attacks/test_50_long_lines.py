"""Case 50: long chains and cycles of references or merges cost no more than their size."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager

from fieldsync.authority.integrity import check_integrity
from fieldsync.core import codes, record_ids
from fieldsync.core.merges import standing_records
from fieldsync.replica import save
from fieldsync.replica.changes import Changes
from tests import directly
from tests.cast import JBL, QRD, rows
from tests.conftest import Cast
from tests.handmade import HandMade

LINE = 1_200  # more than a program may call itself


def uuid_text(record: bytes) -> str:
    """Return an id as references have it."""
    return record_ids.id_text(record)


def test_a_long_chain_of_dependent_persons_can_be_moved(people: Cast) -> None:
    """Moving the family at the top moves the whole chain, and the integrity check passes."""
    first, second = (
        save.add_record(people.basim, "household", Changes(set={"family_name": "محمد"}), unit=unit)
        for unit in (JBL, QRD)
    )
    directly.sync(people.basim, people.hq)
    hand = HandMade(people.basim, people.hq)
    form, letters = people.hq.schema.type("person").version, people.basim.letters
    line = [people.basim.new_id() for _ in range(LINE)]
    made = [
        hand.commit(
            i, record=record, type="person", form=form,
            fields={"_code": codes.make_code(JBL, letters, 10 + i), "_unit": JBL, "given": "سمير", "household": uuid_text(before)},
        )
        for i, (record, before) in enumerate(zip(line, [first, *line], strict=False))
    ]  # fmt: skip
    assert hand.push(*made) == []
    move = ((("household",), ((people.basim.device, made[0].seq),)),)
    assert hand.write({"household": uuid_text(second)}, record=line[0], type="person", form=form, context=move) == ""
    found = rows(people.hq)
    assert {found[record].channel for record in line} == {found[second].channel}
    assert check_integrity(people.hq).ok
    directly.sync(people.samar, people.hq)
    assert directly.differing(people.samar, people.hq) == []


def test_a_cycle_of_persons_does_not_loop(people: Cast) -> None:
    """Three persons that belong to each other in a cycle are accepted without endless recursion."""
    hand = HandMade(people.basim, people.hq)
    form, letters = people.hq.schema.type("person").version, people.basim.letters
    ring = [people.basim.new_id() for _ in range(3)]
    made = [
        hand.commit(
            i, record=record, type="person", form=form,
            fields={"_code": codes.make_code(unit, letters, 10 + i), "_unit": unit, "given": "سمير", "household": uuid_text(before)},
        )
        for i, (record, before, unit) in enumerate(zip(ring, ring[1:] + ring[:1], (JBL, QRD, JBL), strict=True))
    ]  # fmt: skip
    assert hand.push(*made) == []
    assert check_integrity(people.hq).ok
    directly.sync(people.samar, people.hq)
    assert directly.differing(people.samar, people.hq) == []


def test_records_follow_their_owner_s_move_in_any_order(people: Cast) -> None:
    """A case, its person and their household's move arrive in one frame, in any order; all end in the household's unit."""
    house, other = (
        save.add_record(people.basim, "household", Changes(set={"family_name": "محمد"}), unit=unit)
        for unit in (JBL, QRD)
    )
    person = save.add_record(people.basim, "person", Changes(set={"given": "سمير", "household": uuid_text(house)}))
    directly.sync(people.basim, people.hq)
    case = save.add_record(people.basim, "case", Changes(set={"person": uuid_text(person)}))
    save.edit_record(people.basim, person.hex(), Changes(set={"household": uuid_text(other)}))
    directly.sync(people.basim, people.hq)
    found = rows(people.hq)
    assert found[person].channel == found[case].channel == found[other].channel
    assert directly.differing(people.basim, people.hq) == []


def test_a_long_chain_of_merges_is_followed_once() -> None:
    """The surviving record of 3,000 chained merges, or behind a cycle, is found at once."""
    names = [f"{i:05}" for i in range(3_000)]
    line: dict[str, str | None] = dict(zip(names, [*names[1:], None], strict=True))
    started = time.process_time()
    assert set(standing_records(line).values()) == {names[-1]}
    ring = line | {names[-1]: names[1_000]}
    assert set(standing_records(ring).values()) == {names[1_000]}
    assert standing_records(dict(reversed(ring.items()))) == standing_records(ring)
    assert time.process_time() - started < 2


def test_forged_merges_do_not_delay_others(people: Cast, costs: Callable[..., AbstractContextManager[None]]) -> None:
    """A supervisor's key merges 600 families in a chain; other syncs are not delayed."""
    hand = HandMade(people.samar, people.hq)
    ids = [people.samar.new_id() for _ in range(600)]
    made = [
        hand.commit(
            i, record=record,
            fields={"_code": codes.make_code(JBL, people.samar.letters, 10 + i), "_unit": JBL, "family_name": "محمد", "state": "draft"},
        )
        for i, record in enumerate(ids)
    ]  # fmt: skip
    assert hand.push(*made) == []
    given = [
        hand.commit(i, record=record, fields={"_same_as": uuid_text(ids[(i + 1) % len(ids)])})
        for i, record in enumerate(ids)
    ]
    assert hand.push(*given) == []
    save.add_record(people.amal, "household", Changes(set={"family_name": "محمد"}), unit=JBL)
    with costs(seconds=1.5, megabytes=60):
        directly.sync(people.amal, people.hq)
    assert check_integrity(people.hq).ok
