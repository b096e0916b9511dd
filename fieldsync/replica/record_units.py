"""The units that a record is in, and from which it may be changed."""

from fieldsync.core.grants import covering_grant
from fieldsync.core.units import ABOVE, SHARED, home_unit
from fieldsync.replica.node import Node
from fieldsync.store import ReadTx, Tx
from fieldsync.store.contract import Row


def home_of(node: Node, tx: Tx, owner: bytes) -> str | None:
    """Return the unit for what is added to a record: where that lives, or as its unit is in conflict, one of this node's."""
    row = tx.row(owner)
    if row is None:
        return None
    units = [unit.removesuffix(SHARED) for unit in units_of(tx, row)]
    return next((unit for unit in units if covering_grant(node.grants, unit)), units[0])


def unit_of(tx: ReadTx, row: Row) -> str:
    """Return the unit that a record lives in."""
    assert row.channel is not None
    return home_unit(tx.channel(row.channel).unit)


def units_of(tx: ReadTx, row: Row) -> list[str]:
    """Return the units from which a record may be changed: those that it is in, and those that it left: an edit follows it.

    What is for those above may still be changed here by who made it, until it has been sent.
    """
    names = [tx.channel(n).unit for n in dict.fromkeys([*row.channels, *tx.channels_left(row.n)])]
    made = row.doc.get("_unit") if any(name.endswith(ABOVE) for name in names) else None
    return [home_unit(name) for name in names] + ([made] if isinstance(made, str) else [])
