"""References to removed records: new ones are refused with the record's code; existing ones stay."""

from pathlib import Path

import pytest

from fieldsync import errors
from fieldsync.casework import cases
from fieldsync.core import record_ids
from fieldsync.exchange.tables import import_records
from fieldsync.replica import queries, save
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from tests.conftest import Cast
from tests.directly import sync


def _removed(node: Node, type: str, **values: object) -> tuple[str, str]:
    """Make a record and remove it; return its id and code."""
    record = save.add_record(node, type, Changes(set=values))
    code = str(queries.show(node, record.hex()).code)
    save.remove_record(node, record.hex(), "entered twice")
    return record_ids.id_text(record), code


def test_new_references_to_removed_records_are_refused(people: Cast) -> None:
    """A service for a removed person, a family's head, a case: refused, and the error names the record by its code."""
    amal = people.amal
    gone, code = _removed(amal, "person", given="هدى", sex="f")
    family = save.add_record(amal, "household", Changes(set={"family_name": "علي"})).hex()
    for attempt in (
        lambda: save.add_record(amal, "service", Changes(set={"person": gone, "given_on": "2026-01-05"})),
        lambda: save.edit_record(amal, family, Changes(set={"head": gone})),
        lambda: cases.open_case(amal, gone, Changes()),
    ):
        with pytest.raises(errors.IllegalValue) as refused:
            attempt()
        assert (refused.value.facts["reason"], refused.value.facts["record"]) == ("was_removed", code)
    sync(amal, people.hq)
    sync(people.basim, people.hq)
    with pytest.raises(errors.IllegalValue, match="was_removed"):
        save.add_record(people.basim, "service", Changes(set={"person": gone, "given_on": "2026-01-05"}))


def test_existing_references_to_removed_records_stay(people: Cast) -> None:
    """A family whose head was removed later can still be edited, also by a form that submits all answers."""
    amal = people.amal
    head = save.add_record(amal, "person", Changes(set={"given": "هدى", "sex": "f"}))
    family = save.add_record(
        amal, "household", Changes(set={"family_name": "علي", "head": record_ids.id_text(head)})
    ).hex()
    save.remove_record(amal, head.hex(), "died")
    save.edit_record(amal, family, Changes(set={"head": record_ids.id_text(head), "family_name": "العلي"}))
    assert queries.show(amal, family).fields["family_name"] == "العلي"


def test_imported_references_to_removed_records_are_refused(people: Cast, tmp_path: Path) -> None:
    """By code or id, in new rows and changes: the row is rejected, and the other rows are validated."""
    amal = people.amal
    gone, code = _removed(amal, "person", given="هدى", sex="f")
    here = save.add_record(amal, "person", Changes(set={"given": "سمر", "sex": "f"}))
    family = queries.show(amal, save.add_record(amal, "household", Changes(set={"family_name": "حسن"})).hex()).code
    path = tmp_path / "services.csv"
    path.write_text(
        f"person,given_on\n{code},2026-01-05\n{record_ids.id_text(here)},2026-01-06\n{gone},2026-01-07\n",
        encoding="utf-8",
    )
    with pytest.raises(errors.BadRows) as refused:
        import_records.import_file(amal, path, "service")
    assert [(one["row"], one["reason"]) for one in refused.value.facts["rows"]] == [
        (2, "was_removed"),
        (4, "was_removed"),
    ]  # type: ignore[attr-defined]
    path.write_text(f"code,head\n{family},{code}\n", encoding="utf-8")
    with pytest.raises(errors.BadRows) as refused:
        import_records.import_file(amal, path, "household")
    assert [one["reason"] for one in refused.value.facts["rows"]] == ["was_removed"]  # type: ignore[attr-defined]


def test_the_name_of_a_removed_place_is_free(people: Cast) -> None:
    """Of two places with the same name, one removed, the name refers to the other."""
    save.add_record(people.samar, "location", Changes(set={"name_ar": "جبلة", "level": 3}))
    _removed(people.samar, "location", name_ar="جبلة", level=3)
    family = save.add_record(people.samar, "household", Changes(set={"family_name": "علي"})).hex()
    found = [one for one in queries.list_records(people.samar, "location", limit=0) if one.fields["name_ar"] == "جبلة"]
    from fieldsync.replica import lookup

    with people.samar.store.read() as tx:
        schema = people.samar.schema
        assert lookup.resolve_reference(tx, schema, schema.type("household").field("location"), "جبلة") == found[0].id
    assert family
