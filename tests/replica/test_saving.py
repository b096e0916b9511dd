"""The four steps of a save: read values, keep differences, check, commit."""

from pathlib import Path

import pytest

from fieldsync import errors
from fieldsync.core import record_ids
from fieldsync.core.register import Head, Register
from fieldsync.core.state import State
from fieldsync.core.units import SHARED
from fieldsync.exchange.tables import import_records
from fieldsync.exchange.xlsform import convert, write_folder
from fieldsync.replica import save
from fieldsync.replica.apply import apply_states
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


def form_left_open(people: Cast) -> tuple[bytes, State]:
    """A family whose form Amal opened before Basim's new place arrived: its id, and the state that her form shows."""
    home = save.add_record(people.amal, "household", Changes(set={"family_name": "الحسن", "location": "جبلة"}))
    for node in (people.amal, people.basim):
        sync(node, people.hq)
    form = rows(people.amal)[home].state
    save.edit_record(people.basim, home.hex(), Changes(set={"location": "حماة"}))
    for node in (people.basim, people.amal):
        sync(node, people.hq)
    return home, form


def test_a_form_left_open_overwrites_nothing_that_came_meanwhile(people: Cast) -> None:
    """Basim's place arrived while Amal's form was open: both are kept, for a decision."""
    home, form = form_left_open(people)
    save.edit_record(people.amal, home.hex(), Changes(set={"location": "حمص"}), based_on=form)
    told = rows(people.amal)[home]
    assert told.conflicts.keys() == {"location"}
    assert {head.value for head in told.state.fields["location"].heads} == {"حماة", "حمص"}


def test_a_form_left_open_does_not_take_back_what_its_author_saw_since(people: Cast) -> None:
    """Amal had seen Basim's place and written hers over it: the form replaces hers, on her laptop and at headquarters."""
    home, form = form_left_open(people)
    save.edit_record(people.amal, home.hex(), Changes(set={"location": "دوما"}))
    save.edit_record(people.amal, home.hex(), Changes(set={"location": "درعا"}), based_on=form)
    sync(people.amal, people.hq)
    for node in (people.amal, people.hq):
        assert [head.value for head in rows(node)[home].state.fields["location"].heads] == ["درعا"]


def test_a_partner_s_worker_removes_nothing(people: Cast) -> None:
    """Not even what was shared with the partner."""
    unit = "LAT/ALBIR"
    join_directly(people.hq, people.home / "huda", "Huda", "partner", [unit])
    huda = people.open("huda")
    family = Register((Head(people.amal.device, 1, 1, "Amal", "الحسن"),), {people.amal.device: 1})
    home = State(people.amal.new_id(), "household", None, {}, {"family_name": family})
    with huda.store.write() as tx:
        apply_states(tx, huda.rules, [home], unit=unit + SHARED, index=False)
    with pytest.raises(errors.RoleRefused):
        save.remove_record(huda, home.record.hex(), "no more")
    assert rows(huda)[home.record].state == home
    huda.close()
