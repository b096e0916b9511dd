"""Undecided saves: a caseworker is not shown an error for a save that a supervisor still has to decide."""

import pytest

from fieldsync.replica import save
from fieldsync.replica.changes import Changes
from fieldsync.review import decisions
from fieldsync.ui.terminal import messages
from tests.authority.test_conflict_rule import FIELD, edit, forge, head
from tests.cast import JBL, rows
from tests.offices import Office


@pytest.mark.parametrize("lang", ["en", "ar"])
def test_a_save_awaiting_a_decision_is_not_shown_as_an_error(own_office: Office, lang: str) -> None:
    """Basim's save would end a conflict that Amal is part of: he sees that a supervisor decides, and later that it was applied."""
    office = own_office
    samar, amal, basim = office["samar"], office["amal"], office["basim"]
    family = save.add_record(samar, "household", Changes(set={"family_name": "محمد", FIELD: "m"}), unit=JBL)
    office.sync("samar", "amal", "basim")
    edit(amal, family, "x")
    edit(basim, family, "y")
    office.sync("amal", "basim")
    forge(basim, family, "y", {**head(samar, family), **dict.fromkeys([amal.device], amal_seq(office, family))})
    told = office.run("basim", "sync", "--lang", lang)
    assert told.returncode == 0
    assert messages.phrase("n_refused", lang, n=1) in told.stdout
    assert messages.phrase("healed", lang) not in told.stdout
    shown = office.run("basim", "status", "--lang", lang).stdout
    assert messages.phrase("commit_undecided_next", lang) in shown
    assert messages.phrase("commit_refused_next", lang) not in shown
    office.sync("samar")
    decisions.decide_conflict(office["samar"], family.hex(), FIELD, value="x")
    office.sync("samar")
    after = office.run("basim", "sync", "--lang", lang)
    assert messages.phrase("n_taken_after_all", lang, n=1) in after.stdout
    assert messages.phrase("healed", lang) not in after.stdout
    assert messages.phrase("commit_undecided_next", lang) not in office.run("basim", "status", "--lang", lang).stdout


def amal_seq(office: Office, family: bytes) -> int:
    """Return the number of Amal's save about the family."""
    device = office["amal"].device
    return max(one.seq for one in rows(office["hq"])[family].state.fields[FIELD].heads if one.device == device)
