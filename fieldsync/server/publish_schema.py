"""Changing the forms at headquarters: compared with all that were in force before, then put in force, for everybody."""

from pathlib import Path
from typing import Any

from fieldsync import errors
from fieldsync.authority import schema_recovery, schema_rollout
from fieldsync.core.grants import ADMIN
from fieldsync.replica import schema_history
from fieldsync.replica.node import Node
from fieldsync.schema import compatibility, load
from fieldsync.store import ReadTx
from fieldsync.wire import messages
from fieldsync.wire.frames import MAX_COMPRESSED, Codec, Kind

_ROOM = 16 * 1024  # bytes of an ACK that other news may take


def publish(node: Node, folder: Path, *, dry_run: bool = False) -> dict[str, Any]:
    """Put a folder's forms in force, or only say what that would change: {"number", "published", "changes"}.

    Usage, RoleRefused, BadFile, TooLarge; SchemaFaults where something would be lost. A server that runs beside takes
    them over with its next request, everybody else with the next sync.
    """
    if node.is_laptop:
        raise errors.Usage(reason="not_a_server")
    if node.role != ADMIN:
        raise errors.RoleRefused(role=node.role, needs=[ADMIN])
    if not folder.is_dir():
        raise errors.BadFile(file=str(folder), reason="missing")
    texts = load.read_folder(folder)
    texts.pop(load.PUBLISHED, None)
    new = load.load_texts(texts)
    if dry_run:
        with node.store.read() as tx:
            return _compared(node, tx, texts, new)
    with node.store.write() as tx:
        told = _compared(node, tx, texts, new)
        if told["changes"]:
            schema_rollout.take_over(node, tx, schema_recovery.signed(texts, told["number"], node.serving_key))
            told["published"] = True
    return told


def _compared(node: Node, tx: ReadTx, texts: dict[str, str], new: Any) -> dict[str, Any]:
    if tx.servers():
        raise errors.Usage(reason="not_headquarters")
    node.renew(tx)
    faults = compatibility.faults(node.schema, new, schema_history.forms(tx), texts)
    if faults:
        raise errors.SchemaFaults(faults=faults)
    found = compatibility.changes(node.schema, new)
    number = schema_recovery.next_number(tx) if found else int.from_bytes(tx.settings.forms[:4], "big")
    ack = messages.Ack(0, 0, b"", schema=schema_recovery.signed(texts, number, node.serving_key))
    if len(Codec().pack(Kind.ACK, messages.encode(ack))) > MAX_COMPRESSED - _ROOM:
        raise errors.TooLarge(what="forms", limit=MAX_COMPRESSED - _ROOM)
    return {"number": number, "published": False, "changes": found}
