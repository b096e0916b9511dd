"""Earlier forms of a node: their legal values, and the compression dictionaries made from them."""

import hashlib
from collections.abc import Mapping

from msgspec import Struct

from fieldsync.schema import model
from fieldsync.schema.model import Type
from fieldsync.store import ReadTx, Tx
from fieldsync.wire.frames import FrameCodec


class FormVersion(Struct, frozen=True):
    """The present form of a record type.

    label: by language.
    """

    type: str
    label: Mapping[str, str]
    version: int


def form_versions(tx: ReadTx) -> dict[tuple[str, int], Type]:
    """Return every type that this node had a form of, by name and version."""
    found: dict[tuple[str, int], Type] = {}
    for compiled in tx.compiled_schemas():
        for name, kind in model.decode_schema(compiled).types.items():
            found.setdefault((name, kind.version), kind)
    return found


def compression_dictionaries(tx: Tx) -> dict[bytes, bytes]:
    """Return the dictionaries of all forms, present and past, by the id that a hello names them by; none has the id b""."""
    found = {b"": b""}
    for compiled in tx.compiled_schemas():
        dictionary = model.decode_schema(compiled).compression_dictionary()
        found[FrameCodec.dictionary_id(dictionary)] = dictionary
    return found


SHORT = 8
"""Bytes by which a text's hash is named where both sides know whole ones."""


def remember_texts(tx: Tx, mark: bytes, texts: Mapping[str, str]) -> None:
    """Store the texts of forms, so that nodes with these are sent only the new texts of later ones."""
    short = (hashlib.sha256(text.encode()).digest()[:SHORT] for text in texts.values())
    tx.settings.known_texts[mark.hex()] = b"".join(short)


def texts_of(tx: ReadTx, mark: bytes) -> set[bytes]:
    """Return the short hashes of the texts in forms that were in force here; none of others."""
    known = tx.settings.known_texts[mark.hex()]
    return {known[i : i + SHORT] for i in range(0, len(known), SHORT)}
