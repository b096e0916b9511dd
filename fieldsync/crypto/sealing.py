"""Sealing of single values with a store's key: the same value under the same name gives the same bytes (AES-SIV, RFC 5297)."""

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from fieldsync import errors

_SIZE = 64


class ValueSeal:
    """Seals values with a key derived from a store's 32 bytes; `purpose` keeps different uses apart."""

    def __init__(self, key: bytes, purpose: bytes) -> None:
        self._cipher = AESSIV(HKDF(SHA256(), _SIZE, None, b"fieldsync sealed value: " + purpose).derive(key))

    def seal_value(self, name: bytes, value: bytes) -> bytes:
        """Return a value's sealed bytes: 16 more than its own. They open under this name only."""
        return self._cipher.encrypt(value, [name])

    def open_value(self, name: bytes, sealed: bytes) -> bytes:
        """Return the value; StoreDamaged where the bytes, the name or the key are others."""
        try:
            return self._cipher.decrypt(sealed, [name])
        except InvalidTag as fault:
            raise errors.StoreDamaged(part="store") from fault
