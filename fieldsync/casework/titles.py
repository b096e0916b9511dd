"""Titles for lists of records: the person or household a record is about, and the names of the records it refers to."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

from fieldsync import errors
from fieldsync.core import record_ids
from fieldsync.replica.lookup import RelatedRecords, find_row
from fieldsync.replica.node import Node
from fieldsync.schema.values import is_id
from fieldsync.store.contract import Row


def subject_titles(node: Node, records: Sequence[str]) -> dict[str, str]:
    """Return, by record id, the title of the person, family or other subject of each of these."""
    with node.store.read() as tx:
        people = RelatedRecords(node, tx)
        rows = tx.rows([record_ids.from_text(record) for record in records])
        people.fetch_records(row.owner for row in rows.values() if row.owner is not None)
        found = {record: people.subject_of(row) for record, row in rows.items()}
        return {
            record_ids.id_text(record): people.title_of(row) or row.code or ""
            for record, row in found.items()
            if row is not None
        }


def reference_titles(node: Node, values: Iterable[str]) -> dict[str, str]:
    """Return the titles (or else codes) of references; free words and missing records are left out."""
    ids = {value: record_ids.from_text(value) for value in values if is_id(value)}
    with node.store.read() as tx:
        people = RelatedRecords(node, tx)
        people.fetch_records(ids.values())
        rows = {value: people.find_row(record) for value, record in ids.items()}
        return {value: people.title_of(row) or row.code or value for value, row in rows.items() if row is not None}


def names_of(node: Node, refs: Iterable[str]) -> dict[str, str]:
    """Return, by code or id, by what name each record is known; what is not here, or has no name, is left out."""
    with node.store.read() as tx:
        people = RelatedRecords(node, tx)
        rows: dict[str, Row] = {}
        for ref in refs:
            with suppress(errors.NotFound):
                rows[ref] = find_row(tx, ref)
        people.fetch_records(row.owner for row in rows.values() if row.owner is not None)
        return {ref: name for ref, row in rows.items() if (name := people.name_of(row))}


class Particulars(NamedTuple):
    """Distinguishing data of a record among those of the same name; empty if unknown.

    family: of a person, what the family is called (its name and place), and `family_code` its code.
    head: of a family, who heads it.
    """

    born: str = ""
    mother: str = ""
    head: str = ""
    family: str = ""
    family_code: str = ""


def particulars(node: Node, records: Sequence[str]) -> dict[str, Particulars]:
    """Return, by record id, the data that distinguishes these from others of the same name."""
    with node.store.read() as tx:
        people = RelatedRecords(node, tx)
        rows = tx.rows([record_ids.from_text(record) for record in records])
        people.fetch_records(row.owner for row in rows.values() if row.owner is not None)
        return {record_ids.id_text(record): _particulars_of(people, row) for record, row in rows.items()}


def _particulars_of(people: RelatedRecords, row: Row) -> Particulars:
    subject = people.subject_of(row)
    head = people.row_of_reference(row.doc.get("head"))
    return Particulars(
        born=birth_year(row.doc),
        mother=str(row.doc.get("mother") or ""),
        head="" if head is None else people.title_of(head),
        family="" if subject is None else people.title_of(subject),
        family_code="" if subject is None else subject.code or "",
    )


def birth_year(fields: Mapping[str, object]) -> str:
    """Return the year in which a person was born, as text; nothing where it is not known."""
    return str(fields.get("birth_date") or "")[:4]
