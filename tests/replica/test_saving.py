"""A save's four steps: one reader of values, what differs from what was shown, one check, one commit."""

from pathlib import Path

import pytest

from fieldsync import errors
from fieldsync.exchange.tables import import_records
from fieldsync.exchange.xlsform import convert, write_folder
from fieldsync.replica import save
from fieldsync.replica.change_builder import ChangeBuilder
from fieldsync.replica.changes import Changes
from fieldsync.replica.history import history
from fieldsync.schema import load
from fieldsync.server.publish_schema import publish_schema
from fieldsync.ui.forms.answers import FormAnswers
from tests.conftest import Cast
from tests.directly import sync
from tests.exchange.test_xlsform import _visit


@pytest.mark.parametrize("word", ["today", "Today ", "اليوم"])
def test_today_is_read_alike_at_the_keyboard_and_in_a_form(people: Cast, word: str) -> None:
    """A form took only days as they are written, the command line also the word."""
    kind = people.amal.schema.type("household")
    typed = ChangeBuilder(people.amal, kind, {})
    typed.set_value("registered_on", word)
    form = FormAnswers(people.amal, kind, "en")
    form.set_answer(kind.field("registered_on"), word)
    assert typed.build_changes().set == form.build_changes().set == {"registered_on": people.amal.today()}


def test_members_are_read_alike_at_the_keyboard_and_in_a_form(people: Cast) -> None:
    """One text with commas of either script, in both; what is there already is not put in again."""
    kind = people.amal.schema.type("case")
    shown = {"concerns": ["dropout", "child_labour"]}
    typed = ChangeBuilder(people.amal, kind, shown)
    typed.set_value("concerns", "dropout، violence")
    form = FormAnswers(people.amal, kind, "en", shown)
    form.set_answer(kind.field("concerns"), "dropout، violence")
    assert dict(form.build_changes().put) == {"concerns": ["violence"]}
    assert dict(form.build_changes().drop) == dict(typed.build_changes().drop) == {"concerns": ["child_labour"]}


@pytest.mark.parametrize("changes", [Changes(say={"notes": " "}), Changes(count={"reopen_count": "?"})])  # type: ignore[dict-item]
def test_a_refused_entry_or_count_says_of_which_form(people: Cast, changes: Changes) -> None:
    """Its words are the field's label in that form; sets had it, logs and tallies did not."""
    with pytest.raises(errors.IllegalValue) as refused:
        save.add_record(people.amal, "case", changes)
    assert refused.value.facts["type"] == "case"


def test_what_says_nothing_new_is_judged_no_more(people: Cast) -> None:
    """A form that sends again what was legal once is no save: only what was changed is judged and written."""
    today = people.amal.today()
    record = save.add_record(
        people.amal, "household", Changes(set={"family_name": "Saleh", "registered_on": today})
    ).hex()
    people.clock.tick(-40 * 86_400_000)  # its day of registration now lies ahead
    save.edit_record(people.amal, record, Changes(set={"family_name": "Saleh", "registered_on": today}))
    assert len(history(people.amal, record)) == 1
    save.edit_record(people.amal, record, Changes(set={"family_name": "Haddad", "registered_on": today}))
    assert len(history(people.amal, record)) == 2


def test_a_file_s_sets_are_judged_as_at_the_keyboard(people: Cast, tmp_path: Path) -> None:
    """A rule about a set's members held for new rows and at the keyboard, and not for rows that change a record."""
    forms = tmp_path / "forms"
    for name, text in load.shipped_texts().items():
        write_folder.write_folder(forms, {name: text})
    write_folder.write_folder(
        forms, convert.read_xlsform(_visit(tmp_path), type="home_visit", beside=load.read_folder(forms)).texts
    )
    publish_schema(people.hq, forms)
    sync(people.amal, people.hq)
    record = save.add_record(people.amal, "home_visit", Changes(set={"head": "علي"}, put={"needs": ["food"]}))
    rows = tmp_path / "rows.csv"
    rows.write_text(f'id,needs\n{record.hex()},"food,none"\n', encoding="utf-8")
    with pytest.raises(errors.BadRows) as refused:
        import_records.import_file(people.amal, rows, "home_visit")
    assert refused.value.facts["rows"][0]["reason"] == "rule"  # type: ignore[index]
    with pytest.raises(errors.IllegalValue):
        save.edit_record(people.amal, record.hex(), Changes(put={"needs": ["none"]}))
