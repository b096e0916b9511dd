"""The four steps of a save: read values, keep differences, check, commit."""

from pathlib import Path

import pytest

from fieldsync import errors
from fieldsync.core import record_ids
from fieldsync.exchange.tables import import_records
from fieldsync.exchange.xlsform import convert, write_folder
from fieldsync.replica import save
from fieldsync.replica.change_builder import ChangeBuilder
from fieldsync.replica.changes import Changes
from fieldsync.replica.history import history
from fieldsync.schema import load
from fieldsync.server.publish_schema import publish_schema
from fieldsync.ui.forms.answers import FormAnswers
from tests.cast import JBL, join_directly, rows
from tests.conftest import Cast
from tests.directly import sync
from tests.exchange.test_xlsform import _visit


@pytest.mark.parametrize("word", ["today", "Today ", "اليوم"])
def test_the_word_today_is_read_in_commands_and_forms(people: Cast, word: str) -> None:
    """Both accept the word as well as a date."""
    kind = people.amal.schema.type("household")
    typed = ChangeBuilder(people.amal, kind, {})
    typed.set_value("registered_on", word)
    form = FormAnswers(people.amal, kind, "en")
    form.set_answer(kind.field("registered_on"), word)
    assert typed.build_changes().set == form.build_changes().set == {"registered_on": people.amal.today()}


def test_set_members_are_read_alike_in_commands_and_forms(people: Cast) -> None:
    """One text with Arabic or Latin commas in both; existing members are not added again."""
    kind = people.amal.schema.type("case")
    shown = {"concerns": ["dropout", "child_labour"]}
    typed = ChangeBuilder(people.amal, kind, shown)
    typed.set_value("concerns", "dropout، violence")
    form = FormAnswers(people.amal, kind, "en", shown)
    form.set_answer(kind.field("concerns"), "dropout، violence")
    assert dict(form.build_changes().put) == {"concerns": ["violence"]}
    assert dict(form.build_changes().drop) == dict(typed.build_changes().drop) == {"concerns": ["child_labour"]}


@pytest.mark.parametrize("changes", [Changes(say={"notes": " "}), Changes(count={"reopen_count": "?"})])  # type: ignore[dict-item]
def test_errors_of_logs_and_tallies_use_the_form_s_label(people: Cast, changes: Changes) -> None:
    """Errors name the field by its label in that form, as for sets."""
    with pytest.raises(errors.IllegalValue) as refused:
        save.add_record(people.amal, "case", changes)
    assert refused.value.facts["type"] == "case"


def test_unchanged_values_are_not_validated_again(people: Cast) -> None:
    """A form that submits formerly legal values makes no commit: only changes are validated and written."""
    today = people.amal.today()
    record = save.add_record(
        people.amal, "household", Changes(set={"family_name": "Saleh", "registered_on": today})
    ).hex()
    people.clock.tick(-40 * 86_400_000)  # its day of registration now lies ahead
    save.edit_record(people.amal, record, Changes(set={"family_name": "Saleh", "registered_on": today}))
    assert len(history(people.amal, record)) == 1
    save.edit_record(people.amal, record, Changes(set={"family_name": "Haddad", "registered_on": today}))
    assert len(history(people.amal, record)) == 2


def test_imported_sets_are_validated_as_at_the_keyboard(people: Cast, tmp_path: Path) -> None:
    """A rule about a set's members applies to new rows and to rows that change a record."""
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


def test_each_of_two_continues_their_own_state(people: Cast) -> None:
    """Amal and Basim led a case on in two ways: each may go on, while Huda waits for the decision."""
    home = save.add_record(people.amal, "household", Changes(set={"family_name": "محمد"}), unit=JBL)
    said = {"household": record_ids.id_text(home), "given": "أحمد"}
    person = save.add_record(people.amal, "person", Changes(set=said), unit=JBL)
    told = {"person": record_ids.id_text(person), "case_type": "child", "risk": "medium", "found_by": "school"}
    told |= {"opened_on": "2026-01-01", "worker": "Amal"}
    case = save.add_record(people.amal, "case", Changes(set=told, put={"concerns": ["dropout"]}), unit=JBL)
    save.edit_record(people.amal, case.hex(), Changes(set={"state": "registered"}))
    join_directly(people.hq, people.home / "huda", "Huda", "caseworker", [JBL])
    huda = people.open("huda")
    both = people.amal, people.basim
    for node in (*both, *both):
        sync(node, people.hq)
    for node, more in zip(
        both, ({"state": "closing", "closure_reason": "moved"}, {"state": "transferred"}), strict=True
    ):
        save.edit_record(node, case.hex(), Changes(set=more))
    for node in (*both, *both, huda):
        sync(node, people.hq)
    assert all("state" in rows(node)[case].conflicts for node in (*both, huda))
    with pytest.raises(errors.OpenConflict):
        save.edit_record(huda, case.hex(), Changes(set={"state": "registered"}))
    for node, state in zip(both, ("monitoring", "registered"), strict=True):
        save.edit_record(node, case.hex(), Changes(set={"state": state}))
        assert state in [head.value for head in rows(node)[case].state.fields["state"].heads]
    huda.close()
