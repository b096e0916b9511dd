"""Case 50: records hung onto one another, or said to be one, in lines and rings that nobody's work makes: they cost what they weigh."""

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


def test_a_line_of_persons_each_belonging_to_the_one_before(people: Cast) -> None:
    """Whoever moves the family at its top can still do so: all of the line follows, and everything fits together."""
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


def test_a_ring_of_persons(people: Cast) -> None:
    """Three that belong to each other in a ring: taken, and nothing goes round for ever."""
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


def test_what_came_before_its_owner_moved_follows_it(people: Cast) -> None:
    """A case, its person and their household's move in one frame, in any order: all are where the household is."""
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


def test_a_long_line_of_merges_is_passed_once() -> None:
    """3,000 records each given way to the next, and a ring behind a line: who stands is found at once."""
    names = [f"{i:05}" for i in range(3_000)]
    line: dict[str, str | None] = dict(zip(names, [*names[1:], None], strict=True))
    started = time.process_time()
    assert set(standing_records(line).values()) == {names[-1]}
    ring = line | {names[-1]: names[1_000]}
    assert set(standing_records(ring).values()) == {names[1_000]}
    assert standing_records(dict(reversed(ring.items()))) == standing_records(ring)
    assert time.process_time() - started < 2


def test_merges_by_hand_keep_nobody_waiting(people: Cast, costs: Callable[..., AbstractContextManager[None]]) -> None:
    """A supervisor's key says of 600 families that each is the next one: who syncs beside that does not wait for it."""
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
