"""Drafts of unfinished forms, kept in the encrypted store and offered again.

A draft is local and never sent. A draft of an edit keeps, beside each answer, the value shown at the time, so that an old draft
reverts no later change.
"""

import msgspec

from fieldsync.replica.node import Node
from fieldsync.store import Tx
from fieldsync.store.node_notes import FormDraft


def draft_key(type: str, record: bytes | None = None) -> str:
    """Return the name of a draft: of a new record of a type, or of a record that is being edited."""
    return type if record is None else record.hex()


def store_draft(node: Node, name: str, draft: FormDraft) -> None:
    """Keep a draft as it is now; it survives the end of this process at any moment."""
    with node.store.write(durable=False) as tx:
        tx.settings.drafts[name] = msgspec.structs.replace(draft, at=node.clock())


def load_draft(node: Node, name: str) -> FormDraft | None:
    """Return the draft of that name, if there is one."""
    with node.store.read() as tx:
        return tx.settings.drafts[name]


def drop_draft(tx: Tx, name: str | None) -> None:
    """Delete a draft, in the transaction that saves its record."""
    if name is not None:
        tx.settings.drafts[name] = None


def throw_away(node: Node, name: str) -> None:
    """Forget a draft because a person wants none of it."""
    with node.store.write(durable=False) as tx:
        tx.settings.drafts[name] = None
