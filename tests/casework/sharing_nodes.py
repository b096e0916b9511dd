"""The nodes of an office with partners, for the tests of sharing."""

from pathlib import Path

import pytest

from fieldsync.core import record_ids
from fieldsync.replica import save
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from tests import cast, directly
from tests.both_stores import headquarters_in
from tests.casework import sharing_cast as stage
from tests.casework.sharing_cast import PARTNERS


@pytest.fixture(name="template", scope="session")
def sharing_template(headquarters_store: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the cast and two partners, never opened again."""
    home = tmp_path_factory.mktemp("partners")
    with headquarters_in(headquarters_store):
        found(home)
    return home


def found(home: Path) -> None:
    """Set up the cast and the partners, with both charities known to all."""
    cast.found_cast(home)
    stage.add_partners(home)
    hq, samar = cast.open_node(home / "hq"), cast.open_node(home / "samar")
    for unit in PARTNERS.values():
        stage.organisation(samar, unit, unit)
    laptops = [cast.open_node(home / name) for name in ("amal", "basim")]
    for node in (samar, *laptops):
        directly.sync(node, hq)
    for node in (samar, *laptops, hq):
        node.close()


def deliver(node: Node, who: bytes, referral: bytes, **more: object) -> bytes:
    """Have a partner write down what it gave."""
    said = {
        "person": record_ids.id_text(who),
        "service_type": "other",
        "provider": node.units[0],
        "given_on": node.today(),
    }
    return save.add_record(
        node, "service", Changes(set={**said, "referral": record_ids.id_text(referral), "outcome": "given", **more})
    )
