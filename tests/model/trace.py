"""What happened in a history, one line per event: the same bytes for the same seed, in every process and on every machine.

Lines name events, lengths and hashes of plain content; ciphertext, signatures by a random key and file names are left out.
"""

import hashlib

from fieldsync.replica.node import Node


class Trace:
    """The lines so far; `keep=False` notes nothing, which is faster."""

    def __init__(self, *, keep: bool = True) -> None:
        self._keep = keep
        self._lines: list[str] = []

    def note(self, *facts: object) -> None:
        """Note an event; bytes are noted as their length and the beginning of their SHA-256."""
        if self._keep:
            self._lines.append(" ".join(map(_text, facts)))

    def state(self, name: str, node: Node) -> None:
        """Note the digests of a node's channels."""
        if self._keep:
            with node.store.read() as tx:
                for channel in sorted(tx.channels(), key=lambda one: one.unit):
                    self.note("", name, channel.unit, channel.records, f"{channel.digest:x}")

    def to_bytes(self) -> bytes:
        """Return all lines."""
        return "".join(f"{line}\n" for line in self._lines).encode()


def _text(fact: object) -> str:
    if isinstance(fact, bytes):
        return f"{len(fact)}:{hashlib.sha256(fact).hexdigest()[:16]}"
    return str(fact)
