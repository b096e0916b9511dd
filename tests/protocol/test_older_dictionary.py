"""A server with older forms cannot decode commits packed with the laptop's dictionary; they are packed again without it."""

from collections.abc import Iterator

import pytest

from fieldsync.authority import schema_rollout
from fieldsync.crypto.keys import DeviceKey
from fieldsync.protocol import sync_once
from fieldsync.replica import save
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from fieldsync.schema import load
from tests.cast import JBL
from tests.offices import Office

FAMILY = {"family_name": "الخطيب", "housing": "rented", "location": "قرب الجامع"}
NOTE = '\n[fields.note_of_today]\ntype = "text"\nmerge = "review"\nsensitivity = 1\nlabel = { en = "x", ar = "س" }\n'


@pytest.fixture
def amal(office: Office) -> Iterator[Node]:
    """Return the laptop of Amal, who took newer forms elsewhere: those of her server, and a question more."""
    node = office["amal"]
    texts = load.shipped_texts() | {load.PUBLISHED: "number = 1\n"}
    texts["household.toml"] = texts["household.toml"].replace("version = 1", "version = 2", 1) + NOTE
    with node.store.write() as tx:
        schema_rollout.put_in_force(node, tx, texts)
    return node


@pytest.mark.parametrize("budget", [0, 50_000, 5_000])
def test_a_sync_repacks_its_commits(office: Office, amal: Node, budget: int) -> None:
    """Also within a byte budget, which counts the refused request."""
    for i in range(3):
        save.add_record(amal, "household", Changes(set=FAMILY | {"address": f"{i}"}), unit=JBL)
    told = sync_once.sync_once(amal, budget=budget)
    assert (told.up.commits, told.requests) == (3, 2)
    if budget:
        assert told.up.bytes + told.down.bytes <= budget
    with office["hq"].store.read() as tx:
        assert tx.log_head(amal.device) == 3


def test_an_interrupted_renewal_repacks_its_commits(office: Office, amal: Node) -> None:
    """Also if it is the laptop's first request to that server."""
    save.add_record(amal, "household", Changes(set=FAMILY), unit=JBL)
    with amal.store.write() as tx:
        tx.settings.renewing_key = DeviceKey.generate().to_bytes()
    before = amal.device
    assert sync_once.sync_once(amal).renewed.carried == 1
    assert amal.device != before
