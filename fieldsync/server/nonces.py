"""Nonces without a table (docs/decisions/0005-nonces-without-a-table.md)."""

import hashlib
import hmac
from collections.abc import Callable

_TAG = 8


class NonceIssuer:
    """A nonce is the moment of its issue, and a tag that only this server can make."""

    def __init__(self, key: bytes, clock: Callable[[], int]) -> None:
        self._key = key
        self._clock = clock  # milliseconds
        self._last = 0

    def issue_nonce(self, device: bytes, after: int) -> bytes:
        """Return a new nonce for a device, later than the last one it used."""
        self._last = max(self._clock() * 1000, after + 1, self._last + 1)
        issued = self._last.to_bytes(8, "big")
        return issued + self._tag(device, issued)

    def issue_time(self, device: bytes, nonce: bytes) -> int | None:
        """Return when a nonce was issued to this device (microseconds), or None if it never was."""
        issued, tag = nonce[:8], nonce[8:]
        return int.from_bytes(issued, "big") if hmac.compare_digest(tag, self._tag(device, issued)) else None

    def _tag(self, device: bytes, issued: bytes) -> bytes:
        return hmac.digest(self._key, device + issued, hashlib.sha256)[:_TAG]
