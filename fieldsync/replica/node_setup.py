"""Creation of a node's folder and first settings: complete, or not at all."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from fieldsync import errors
from fieldsync.core.grants import Grant
from fieldsync.crypto import chain
from fieldsync.crypto.keys import DeviceKey
from fieldsync.crypto.slots import Slots
from fieldsync.environment import SYSTEM, Environment
from fieldsync.replica import schema_history
from fieldsync.replica.node import SLOTS
from fieldsync.schema import load, model
from fieldsync.schema.model import Schema
from fieldsync.store import DATABASE, FILE, Tx, new_store
from fieldsync.store.private_files import write_whole


def create_store(
    home: Path,
    fill: Callable[[Slots, bytes], None],
    write: Callable[[Tx], None],
    environment: Environment = SYSTEM,
    *,
    database: str | None = None,
) -> None:
    """Create a node's folder: slots filled by `fill(slots, key)`, and first settings by `write(tx)`. All or nothing.

    `database`: the address of the PostgreSQL database that has the store, where it is not a file.
    """
    if (home / SLOTS).exists():
        raise errors.StoreExists(home=str(home))
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    key = environment.random_bytes(32)
    slots = Slots.create(environment.random_bytes(16), environment)
    fill(slots, key)
    leftovers = [*home.glob("store.db*"), home / DATABASE]  # of a set-up that was cut off before its slots were written
    for leftover in leftovers:
        leftover.unlink(missing_ok=True)
    store = new_store(home, key, database=database)
    try:
        with store.write() as tx:
            write(tx)
    except BaseException:
        store.close()
        for made in (home / FILE, home / DATABASE):
            made.unlink(missing_ok=True)
        raise
    store.close()
    write_file(home / SLOTS, slots.to_bytes())


def write_file(path: Path, content: bytes) -> None:
    """Write a small file whole or not at all, readable by its owner only, and have it on the disk."""
    with write_whole(path) as file:
        file.write(content)


class NodeIdentity(Struct, frozen=True):
    """A new node's identity: `kind` is laptop or server, `age_identity` the key for bundles."""

    kind: str
    org: str
    letters: str
    person: str
    grants: Sequence[Grant]
    age_identity: str


def write_identity(tx: Tx, key: DeviceKey, identity: NodeIdentity, texts: dict[str, str], now: int) -> None:
    """Write into a new store who it is and which forms it works with."""
    settings = tx.settings
    settings.private_key, settings.age_identity = key.to_bytes(), identity.age_identity
    settings.kind, settings.org = identity.kind, identity.org
    settings.letters, settings.person = identity.letters, identity.person
    settings.grants = tuple(identity.grants)
    settings.last_code_number = settings.last_stamp = 0
    write_schema(tx, texts)
    tx.enrol_device(
        key.device, key.public, identity.letters, identity.person, identity.grants, now, chain.chain_start(key.device)
    )


def forms_mark(texts: dict[str, str]) -> bytes:
    """Return a mark of forms: the number of publications and a prefix of the texts' hash, 4 bytes each."""
    number = min(max(load.publication_number(texts), 0), (1 << 32) - 1)
    return number.to_bytes(4, "big") + hashlib.sha256(msgspec.json.encode(texts, order="sorted")).digest()[:4]


def write_schema(tx: Tx, texts: dict[str, str]) -> Schema:
    """Keep a schema's texts, and itself compiled, with a view per record type."""
    schema = load.load_texts(texts, published=True)
    compiled = model.encode_schema(schema)
    forms = forms_mark(texts)
    settings = tx.settings
    settings.schema_texts, settings.compiled_schema, settings.forms = texts, compiled, forms
    tx.keep_schema(forms[-4:], compiled)
    schema_history.remember_texts(tx, forms, texts)
    tx.make_views(model.view_columns(schema))
    return schema
