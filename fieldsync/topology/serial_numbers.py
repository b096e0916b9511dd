"""Unbroken serial numbers per office and year: `LAT-JBL-2026-17`. Servers give them, nobody types them.

The lowest server whose units a record is in gives the number, in the transaction in which it learns that one is due, as a
commit of its own that travels like any other. So only one server counts for an office, and no given number is lost.
A server restored from a backup may have given more than it knows: it begins a series of its own, `LAT-JBL-2026-QTX-1`.
"""

from collections.abc import Iterable, Sequence

from fieldsync.core.grants import BRANCH
from fieldsync.core.state import register_of
from fieldsync.core.units import home_unit, is_within
from fieldsync.replica import changes, commit_writer
from fieldsync.replica.node import Node
from fieldsync.schema import validate
from fieldsync.schema.model import Field
from fieldsync.store import Tx
from fieldsync.store.contract import Row


def give_numbers(node: Node, tx: Tx, rows: Iterable[Row]) -> None:
    """Give these records the numbers that are due to them, if that is this server's to do."""
    numbered = node.rules.serial_fields
    wanted = [row for row in rows if row.state.type in numbered]
    if not wanted:
        return
    office = tx.settings.upstream_grants[0].unit if tx.settings.upstream is not None else None
    lower = _branch_units(node, tx, office)
    drafts = []
    for row in wanted:
        if row.channel is None or row.also or "_deleted" in row.doc or "_unit" in row.conflicts:
            continue  # in two units as long as nobody has settled where it is
        unit = home_unit(tx.channel(row.channel).unit)
        if not (office is None or is_within(unit, office)) or any(is_within(unit, one) for one in lower):
            continue
        kind = node.schema.type(row.state.type)
        place = office or node.grants[0].unit
        fields: changes.Fields = {
            field.name: _next_number(node, tx, row, field, place)
            for field in numbered[kind.name]
            if _is_due(node, row, field)
        }
        if fields:
            seen = {name: register_of(row.state, name).seen for name in fields}
            drafts.append(changes.Draft(row.state.record, kind.name, kind.version, fields, seen))
    if drafts:
        commit_writer.commit_drafts(node, tx, drafts)


def _branch_units(node: Node, tx: Tx, office: str | None) -> Sequence[str]:
    """Return the units of the branches below this server."""
    branches = (one for one in map(tx.device, sorted(tx.branches() - {node.device})) if one is not None)
    units = (grant.unit for one in branches if one.state == "enrolled" for grant in one.grants if grant.role == BRANCH)
    return [unit for unit in units if office is None or (is_within(unit, office) and unit != office)]


def _is_due(node: Node, row: Row, field: Field) -> bool:
    return row.doc.get(field.name) is None and field.name in validate.relevant_fields(
        node.schema.type(row.state.type), row.doc, node.today()
    )


def _next_number(node: Node, tx: Tx, row: Row, field: Field, office: str) -> str:
    """Take the next number of the office's year: that of the date which the field names, or this one."""
    year = str(row.doc.get(field.year) or node.today())[:4]
    series = "-".join(filter(None, (office.replace("/", "-"), year, tx.settings.serial_series)))
    key = f"{row.state.type}.{field.name} {series}"
    number = tx.settings.serial_numbers[key] + 1
    tx.settings.serial_numbers[key] = number
    return f"{series}-{number}"
