"""Devices, their copies and successors, for the tests of device families."""

from collections.abc import Iterator

import pytest

from fieldsync.crypto.keys import DeviceKey
from fieldsync.replica import save
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from fieldsync.store.contract import Device
from fieldsync.topology import device_renewal
from fieldsync.wire.messages import RenewRequest
from tests.cast import JBL, copy_node, open_node
from tests.conftest import Cast
from tests.tree import Tree


@pytest.fixture(name="tree")
def fresh_tree() -> Iterator[Tree]:
    """Return a headquarters with branches and laptops."""
    found = Tree()
    yield found
    found.close()


def known(node: Node, device: bytes) -> Device:
    """Return a device as a node knows it."""
    with node.store.read() as tx:
        found = tx.device(device)
    assert found is not None
    return found


def successor(old: DeviceKey, new: DeviceKey) -> RenewRequest:
    """Return the request by which a copied store goes on with a new key."""
    signed = device_renewal.renewal_message(old.device, new.public, None)
    return RenewRequest(new.public, old.sign(signed), new.sign(signed))


def mint(server: Node, old: DeviceKey) -> DeviceKey:
    """Have a server enrol a successor of a device, as a thief does who has its key."""
    new = DeviceKey.generate()
    device_renewal.enrol_successor(server, known(server, old.device), successor(old, new), 1)
    return new


def cloned(people: Cast, name: str) -> Node:
    """Copy a laptop's disk, and open the copy."""
    getattr(people, name).close()
    copy_node(people.home / name, people.home / f"copy of {name}")
    setattr(people, name, people.open(name))
    return open_node(people.home / f"copy of {name}", people.clock)


def household(node: Node, name: str = "محمد") -> str:
    """Register a family in Jableh, and return its id."""
    return save.add_record(node, "household", Changes(set={"family_name": name}), unit=JBL).hex()
