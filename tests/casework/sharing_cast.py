"""A headquarters, the caseworkers Amal and Basim, the supervisor Samar, and two charities with a laptop each; in one process."""

from pathlib import Path

from fieldsync.casework import referrals
from fieldsync.casework.referrals import ReferralRequest
from fieldsync.core import record_ids
from fieldsync.replica import save
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from tests.cast import Clock, copy_cast, join_directly, open_node

ALBIR, NOOR = "LAT/ALBIR", "LAT/NOOR"
PARTNERS = {"huda": ALBIR, "noor": NOOR}
SECRETS = ("Salloum", "0944111222", "Kassab", "HIDDEN-NOTE", "Mraid")
"""What stands in fields that nobody shares in these tests."""


def add_partners(home: Path) -> None:
    """Enrol the charities' laptops at a headquarters that stands still, and write down the charities."""
    hq = open_node(home / "hq")
    for name, unit in PARTNERS.items():
        join_directly(hq, home / name, name.capitalize(), "partner", [unit])
    hq.close()


def open_all(home: Path, template: Path, clock: Clock) -> dict[str, Node]:
    """Return all nodes of a copy of a cast with partners, by name."""
    copy_cast(template, home)
    return {name: open_node(home / name, clock) for name in ("hq", "amal", "basim", "samar", *PARTNERS)}


def organisation(node: Node, unit: str, name: str) -> bytes:
    """Write down a charity and the unit of its people."""
    return save.add_record(
        node, "organisation", Changes(set={"name_ar": name, "kind": "charity", "partner_unit": unit}), unit="LAT"
    )


def family(node: Node, unit: str) -> tuple[bytes, bytes]:
    """Register a family with one person, and return both."""
    home = save.add_record(
        node, "household", Changes(set={"family_name": "Salloum", "location": "Mraid"}, put={"phones": ["0944111222"]}), unit=unit
    )  # fmt: skip
    who = save.add_record(
        node, "person", Changes(set={"given": "ليلى", "father": "سمير", "family": "Kassab", "household": record_ids.id_text(home), "sex": "f"})
    )  # fmt: skip
    return home, who


def consent(node: Node, who: bytes, *units: str, **fields: object) -> bytes:
    """Write down that a person agrees to be referred to these units."""
    said = {
        "subject": record_ids.id_text(who),
        "purpose": "referral",
        "method": "written",
        "given_on": node.today(),
        "state": "given",
    }
    return save.add_record(node, "consent", Changes(set={**said, **fields}, put={"share_with": list(units)}))


def refer(node: Node, who: bytes, unit: str, *share: str, **more: str) -> bytes:
    """Refer a person, with their given name and what else is named."""
    return referrals.refer_record(
        node,
        record_ids.id_text(who),
        ReferralRequest(unit, "needs a stove", services=["other"], share=("given", *share), **more),
    )


def held(node: Node) -> dict[bytes, set[str]]:
    """Return the registers that a node holds of each record, by name."""
    from fieldsync.core.state import registers

    with node.store.read() as tx:
        return {row.state.record: set(registers(row.state)) for row in tx.select_rows()}


def raw(node: Node) -> bytes:
    """Return every value of every table of a node's store, decrypted, as bytes."""
    parts = []
    with node.store.read() as tx:
        tables = [row[0] for row in tx.sql("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            if table.startswith("search") or table in ("meta", "schema_past"):
                continue
            for row in tx.sql(f"SELECT * FROM {table}"):
                parts += [value if isinstance(value, bytes) else str(value).encode() for value in row]
    return b"\n".join(parts)
