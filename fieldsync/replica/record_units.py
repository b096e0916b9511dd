"""The units that a record is in, and those from which it may be changed."""

from fieldsync import errors
from fieldsync.core.grants import covering_grant
from fieldsync.core.units import ABOVE, BELOW, SHARED, check_unit, home_unit
from fieldsync.replica.node import Node
from fieldsync.store import ReadTx, Tx
from fieldsync.store.contract import Row


def home_of(node: Node, tx: Tx, owner: bytes) -> str | None:
    """Return the unit for a new child record: its owner's, or if that is in conflict, one of this node's."""
    row = tx.row(owner)
    if row is None:
        return None
    units = [unit.removesuffix(SHARED) for unit in units_of(tx, row)]
    return next((unit for unit in units if covering_grant(node.grants, unit)), units[0])


def check_known_unit(node: Node, tx: ReadTx, unit: str) -> str:
    """Return a unit's path if the unit is known here. IllegalValue, UnitRefused with similar ones.

    Known are the units of the servers' lists, the user's own, and those of this node's channels. Without a list every unit is accepted.
    """
    near = similar_to_unknown(node, tx, check_unit(unit))
    if near is None:
        return unit
    raise errors.UnitRefused(unit=unit, reason="unknown" if near else "no_unit", near=near)


def similar_to_unknown(node: Node, tx: ReadTx, unit: str) -> list[str] | None:
    """Return the known units that an unknown one is similar to; None for a known unit, or where no list is here yet."""
    listed = {known for server in tx.servers() for known in tx.peer_settings(server.id).units}
    if not listed or unit in listed or unit in node.units or any(map(tx.has_unit, (unit, unit + BELOW, unit + ABOVE))):
        return None
    from difflib import get_close_matches  # only where something is wrong

    return get_close_matches(unit, sorted(listed), n=3)


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
