"""The forms that a node has worked with before: what was legal under them, and the dictionaries made from them."""

from fieldsync.schema import model
from fieldsync.schema.model import Type
from fieldsync.store import ReadTx, Tx
from fieldsync.wire.frames import Codec


def forms(tx: ReadTx) -> dict[tuple[str, int], Type]:
    """Return every type that this node had a form of, by name and version."""
    found: dict[tuple[str, int], Type] = {}
    for compiled in tx.schemas():
        for name, kind in model.decode(compiled).types.items():
            found.setdefault((name, kind.version), kind)
    return found


def dictionaries(tx: Tx) -> dict[bytes, bytes]:
    """Return the dictionaries of all forms, present and past, by the id that a hello names them by; none has the id b""."""
    found = {b"": b""}
    for compiled in tx.schemas():
        dictionary = model.decode(compiled).dictionary()
        found[Codec.name(dictionary)] = dictionary
    return found
