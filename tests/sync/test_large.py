"""Records and saves that are larger than a frame: they pass in parts, or are refused at the keyboard; none blocks a line."""

import random

import pytest

from fieldsync import errors
from fieldsync.core.state import canonical
from fieldsync.sync import save
from fieldsync.sync.save import Changes
from tests import directly
from tests.cast import rows
from tests.conftest import Cast

_LETTERS = "ابتثجحخدذرزسشصضطظعغفقكلمنهوي "


def story(seed: int, length: int) -> str:
    """Return a text that no compression makes small."""
    return "".join(random.Random(seed).choices(_LETTERS, k=length)).strip()


def test_a_case_with_years_of_notes_reaches_a_new_laptop(people: Cast) -> None:
    """A record whose state fits no frame comes in parts."""
    case = save.add(people.amal, "case", Changes()).hex()
    for i in range(40):
        save.edit(people.amal, case, Changes(say={"notes": story(i, 5_000)}))
    save.add(people.amal, "household", Changes(set={"family_name": "محمد"}))
    for _ in range(2):
        for node in people.laptops:
            assert directly.sync(node, people.hq).differing == []
    assert [{r: canonical(row.state) for r, row in rows(node).items()} for node in people.laptops] == [
        {r: canonical(row.state) for r, row in rows(people.hq).items()}
    ] * 3


def test_a_save_that_fits_no_frame_is_refused_at_the_keyboard(people: Cast) -> None:
    """It would stand in the way of all that comes after it: TooLarge, and nothing is saved."""
    case = save.add(people.amal, "case", Changes()).hex()
    directly.sync(people.amal, people.hq)
    concerns = {f"note {i}": story(i, 19_000) for i in range(9)}
    row = rows(people.amal)[bytes.fromhex(case)]
    draft = save.draft_edit(people.amal, row, people.amal.schema.type("case"), concerns)
    with people.amal.store.write() as tx, pytest.raises(errors.TooLarge):
        save.commit_drafts(people.amal, tx, [draft])
    assert rows(people.amal)[bytes.fromhex(case)].doc == row.doc
    save.edit(people.amal, case, Changes(say={"notes": story(1, 19_000)}))
    assert directly.sync(people.amal, people.hq).commits == 1
