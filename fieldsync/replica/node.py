"""A node: an open store with its identity, schema and clock. Laptops, branch servers and headquarters are all nodes."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from fieldsync import errors
from fieldsync.core.grants import DECIDERS, WRITERS, Grant, covering_grant
from fieldsync.crypto.keys import DeviceKey
from fieldsync.crypto.slots import Slots
from fieldsync.environment import SYSTEM, Environment
from fieldsync.replica.merge_rules import Rules
from fieldsync.schema import model
from fieldsync.schema.model import Schema
from fieldsync.store import ReadTx, Store, Tx, Waiting, open_store

SLOTS = "slots.json"
JOINING = "joining"  # the kind of a store whose device no server has answered yet

Unlock = Callable[[Slots], bytes]


@dataclass
class Node:
    """An open node. `device` is its 16-byte id, `letters` what its codes carry, `clock` milliseconds since 1970.

    All time, randomness, waiting and threads of its work come from `environment`, and the time of what it writes from `clock`.
    """

    home: Path
    store: Store
    schema: Schema
    rules: Rules
    key: DeviceKey
    kind: str  # laptop or server
    org: str
    letters: str
    person: str
    grants: tuple[Grant, ...]
    environment: Environment = SYSTEM
    clock: Callable[[], int] = SYSTEM.wall_clock
    forms: bytes = b""  # which forms these are: their number and the beginning of their texts' hash
    first_key: DeviceKey | None = None  # of a server that was renewed: the key by which those below it know it
    departed_names: dict[bytes, str] = field(
        default_factory=dict
    )  # of records that left since the last notice, by record

    @property
    def device(self) -> bytes:
        """This node's device id."""
        return self.key.device

    @property
    def serving_key(self) -> DeviceKey:
        """The key whose device id those below know this server by, however often it was renewed."""
        return self.first_key or self.key

    @property
    def is_laptop(self) -> bool:
        """Whether this node is a person's own."""
        return self.kind == "laptop"

    @property
    def units(self) -> list[str]:
        """The units that this node's person works in."""
        return [grant.unit for grant in self.grants]

    @property
    def role(self) -> str:
        """The role in the first unit."""
        return self.grants[0].role if self.grants else ""

    def today(self) -> str:
        """Today's date by this node's clock, YYYY-MM-DD."""
        return self.environment.local_time(self.clock()).date().isoformat()

    def date_and_time(self) -> str:
        """Today's date and the time by this node's clock, YYYY-MM-DD HH:MM."""
        now = self.environment.local_time(self.clock())
        return now.replace(tzinfo=None).isoformat(" ", "minutes")

    def new_id(self) -> bytes:
        """Return a fresh record id: a UUIDv7 (RFC 9562)."""
        number = (self.clock() << 80) | int.from_bytes(self.environment.random_bytes(10), "big")
        number = number & ~(0xF << 76) | 7 << 76
        return (number & ~(0x3 << 62) | 0x2 << 62).to_bytes(16, "big")

    def may_write(self, *units: str) -> Grant:
        """Return the grant that lets this node write in a unit, or in one of several; UnitRefused, RoleRefused."""
        return _find_grant(self.grants, units, WRITERS)

    def may_decide(self, *units: str) -> Grant:
        """Return the grant that lets this node decide reviews in a unit, or in one of several; UnitRefused, RoleRefused."""
        return _find_grant(self.grants, units, DECIDERS)

    def reload_identity(self) -> None:
        """Reload the person's grants and the device's identity after a sync."""
        with self.store.read() as tx:
            self.reload_from(tx)

    def reload_from(self, tx: ReadTx) -> None:
        """Do so within a transaction."""
        self.grants, self.org = tx.settings.grants, tx.settings.org
        self.key, self.letters = DeviceKey.from_bytes(tx.settings.private_key), tx.settings.letters
        self.first_key = _first_key(tx)

    def load_current_identity(self, tx: ReadTx) -> bool:
        """Work with the identity that this transaction finds: another process may have become a new device, or a branch."""
        if tx.settings.letters == self.letters:  # each identity has its own
            return False
        self.reload_from(tx)
        return True

    def load_current_forms(self, tx: ReadTx) -> bool:
        """Work with the forms that this transaction finds in force: another process may have taken over new ones."""
        forms = tx.settings.forms
        if forms == self.forms or forms[:4] < self.forms[:4]:  # never back: another thread may have begun earlier
            return False
        self.schema = model.decode_schema(tx.settings.compiled_schema)
        self.rules = Rules(self.schema)
        self.forms = forms
        return True

    def restore_forms_on_rollback(self, tx: Tx) -> None:
        """Work with the present forms again if this transaction, which puts others in force, is rolled back."""
        before = self.schema, self.rules, self.forms

        def restore() -> None:
            self.schema, self.rules, self.forms = before

        tx.on_rollback(restore)

    def write_repeatable(self) -> AbstractContextManager[Tx]:
        """A transaction for data that can be fetched or computed again: on a laptop, power loss may revert it.

        A server sends its numbers to others, so there the transaction is on the disk before an answer is sent.
        """
        return self.store.write(durable=not self.is_laptop)

    def close(self) -> None:
        """Close the store."""
        self.store.close()


def own_name(node: Node, tx: ReadTx) -> str:
    """Return this server's name for others: its organisation's name, or a branch's unit."""
    return node.org if tx.settings.upstream is None else node.grants[0].unit


def _find_grant(grants: tuple[Grant, ...], units: Sequence[str], roles: Sequence[str]) -> Grant:
    here = [grant for unit in units for grant in grants if covering_grant((grant,), unit)]
    if not here:
        raise errors.UnitRefused(unit=units[0])
    for grant in here:
        if grant.role in roles:
            return grant
    raise errors.RoleRefused(role=here[0].role, needs=list(roles))


def open_node(
    home: Path,
    unlock: Unlock,
    *,
    shared: bool = False,
    waiting: Waiting | None = None,
    environment: Environment = SYSTEM,
) -> Node:
    """Open the node in a folder; `unlock` turns its slots into the store's key. NoStore, WrongPassphrase, StoreDamaged.

    `waiting` hears of each second for which another program holds the store (StoreBusy in the end). Its clock is that of `environment`.
    """
    try:
        slots = Slots.from_bytes((home / SLOTS).read_bytes())
    except (FileNotFoundError, NotADirectoryError) as fault:
        raise errors.NoStore(home=str(home)) from fault
    try:
        store = open_store(home, unlock(slots), shared=shared, waiting=waiting)
    except errors.NoStore as fault:  # the slots are written last: there was one
        raise errors.NoStore(home=str(home), reason="gone") from fault
    with store.read() as tx:
        settings = tx.settings
        if settings.kind == JOINING:
            raise errors.NoStore(home=str(home), reason="joining")
        try:
            schema = model.decode_schema(settings.compiled_schema)
        except errors.BadFile as fault:
            raise errors.StoreDamaged(part="schema") from fault
        return Node(
            home, store, schema, Rules(schema), DeviceKey.from_bytes(settings.private_key), settings.kind, settings.org,
            settings.letters, settings.person, settings.grants, environment, environment.wall_clock, settings.forms, _first_key(tx),
        )  # fmt: skip


def _first_key(tx: ReadTx) -> DeviceKey | None:
    private = tx.settings.first_private_key
    return None if private is None else DeviceKey.from_bytes(private)
