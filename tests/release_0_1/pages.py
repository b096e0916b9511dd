"""A SQLCipher file's pages decrypted and encrypted again, byte by byte the same: encrypted stores do not compress.

A page of 2048 bytes ends with its IV (16 bytes) and the HMAC-SHA256 of ciphertext, IV and page number; the file begins with a salt.
"""

import hashlib
import hmac

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

_PAGE, _SALT, _IV, _HMAC = 2048, 16, 16, 32


def decrypt(store: bytes, key: bytes) -> bytes:
    """Return a store with its pages decrypted, their IVs kept and their HMACs zeroed."""
    pages = bytearray()
    for at in range(0, len(store), _PAGE):
        begin = at or _SALT
        end = at + _PAGE - _IV - _HMAC
        iv = store[end : end + _IV]
        turn = Cipher(algorithms.AES(key), modes.CBC(iv)).decryptor()
        pages += store[at:begin] + turn.update(store[begin:end]) + turn.finalize() + iv + bytes(_HMAC)
    return bytes(pages)


def encrypt(pages: bytes, key: bytes) -> bytes:
    """Return the store of which `decrypt` made these pages."""
    salt = bytes(one ^ 0x3A for one in pages[:_SALT])
    mac_key = hashlib.pbkdf2_hmac("sha512", key, salt, 2, 32)
    store = bytearray()
    for number, at in enumerate(range(0, len(pages), _PAGE), 1):
        begin = at or _SALT
        end = at + _PAGE - _IV - _HMAC
        iv = pages[end : end + _IV]
        turn = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
        sealed = turn.update(pages[begin:end]) + turn.finalize() + iv
        store += pages[at:begin] + sealed + hmac.digest(mac_key, sealed + number.to_bytes(4, "little"), "sha256")
    return bytes(store)
