"""Bundles, their parts and what nodes hold, for the tests of bundles."""

import io
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

from fieldsync.crypto import age
from fieldsync.crypto.keys import SIGNATURE_SIZE, DeviceKey
from fieldsync.replica import save
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from fieldsync.wire import bundle_format, messages
from fieldsync.wire.bundle_format import MAGIC, Manifest
from fieldsync.wire.frames import FrameReader
from tests.cast import JBL


def family(node: Node, place: str = "جبلة") -> bytes:
    """Register a family."""
    return save.add_record(node, "household", Changes(set={"family_name": "محمد", "location": place}), unit=JBL)


def contents(node: Node) -> dict[str, list[Any]]:
    """Return every row of every table of a node's store."""
    with node.store.read() as tx:
        names = [row[0] for row in tx.sql("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
        return {name: list(map(tuple, tx.sql(f"SELECT * FROM {name}"))) for name in names if "search_" not in name}


def plain(node: Node, file: Path) -> bytes:
    """Return a bundle's content, as its recipient can have it with any program that reads age files."""
    with node.store.read() as tx:
        identity = tx.settings.age_identity
    out = io.BytesIO()
    with file.open("rb") as opened:
        age.decrypt(opened, identity, out.write)
    return out.getvalue()


def parts(content: bytes) -> tuple[Manifest, list[bytes]]:
    """Return the manifest and the frames of a bundle's content."""
    start = len(MAGIC) + 4
    end = start + int.from_bytes(content[len(MAGIC) : start], "big")
    frames = [whole for _, _, whole in FrameReader().feed(content[end + SIGNATURE_SIZE :])]
    return messages.decode_message(Manifest, content[start:end]), frames


def wrapped(content: bytes, reader: Node, file: Path) -> Path:
    """Write a bundle's content into a file for a reader, as anybody who knows their recipient can."""
    with reader.store.read() as tx:
        to = age.public_recipient(tx.settings.age_identity)
    with file.open("wb") as out:
        age.encrypt([content], out, [to])
    return file


def rebuilt(by: DeviceKey, manifest: Manifest, frames: list[bytes], *, honest: bool = True, **changes: Any) -> bytes:
    """Return a bundle's content signed by a key; `honest`: the manifest lists these frames."""
    if honest:
        changes["frames"] = tuple(sha256(frame).digest() for frame in frames)
    return bundle_format.bundle_head(msgspec.structs.replace(manifest, **changes), by) + b"".join(frames)
