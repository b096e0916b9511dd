"""age files, by pyrage: encryption of bundles to recipients. Contents are streamed: never whole in memory, never plain on disk."""

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Self

import pyrage
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from pyrage import x25519

from fieldsync import errors
from fieldsync.environment import SYSTEM, Environment

_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_PREFIX = "age-secret-key-"
_SECRET_SIZE = 32


def new_identity(environment: Environment = SYSTEM) -> str:
    """Return a new X25519 identity as age writes it: AGE-SECRET-KEY-1…, for the encrypted store and nowhere else."""
    number = int.from_bytes(environment.random_bytes(_SECRET_SIZE)) << 4  # 256 bits and 4 of nothing: 52 letters of 5
    data = [number >> 5 * at & 31 for at in reversed(range(52))]
    text = "".join(_BECH32[one] for one in (*data, *_bech32_checksum(data)))
    return f"{_PREFIX}1{text}".upper()


def _bech32_checksum(data: Sequence[int]) -> list[int]:
    """Return the six letters that end a Bech32 text (BIP 173); pyrage refuses a text with others."""
    prefix = [ord(letter) for letter in _PREFIX]
    rest = 1
    for value in (*(one >> 5 for one in prefix), 0, *(one & 31 for one in prefix), *data, 0, 0, 0, 0, 0, 0):
        top = rest >> 25
        rest = (rest & 0x1FFFFFF) << 5 ^ value
        for bit, factor in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            rest ^= factor if top >> bit & 1 else 0
    rest ^= 1
    return [rest >> 5 * (5 - at) & 31 for at in range(6)]


def public_recipient(identity: str) -> str:
    """Return the public half of an identity, age1… in text."""
    return str(x25519.Identity.from_str(identity).to_public())


def is_recipient(text: str) -> bool:
    """Return whether a text is an X25519 recipient."""
    try:
        x25519.Recipient.from_str(text)
    except pyrage.RecipientError:
        return False
    return True


class _PieceSource:
    """Pieces as the file that pyrage reads from; an error of theirs is kept, as pyrage would reword it."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._held = b""
        self.fault: BaseException | None = None

    def read(self, size: int) -> bytes:
        try:
            while not self._held:
                self._held = next(self._pieces)
        except StopIteration:
            return b""
        except BaseException as fault:
            self.fault = fault
            raise
        given, self._held = self._held[:size], self._held[size:]
        return given


class _PieceSink:
    """The target of pyrage's output; an error of its consumer is kept."""

    def __init__(self, take: Callable[[bytes], object]) -> None:
        self._take = take
        self.fault: BaseException | None = None

    def write(self, data: bytes) -> int:
        try:
            self._take(data)
        except BaseException as fault:
            self.fault = fault
            raise
        return len(data)

    def flush(self) -> None:
        """Everything was taken already."""


def encrypt(pieces: Iterable[bytes], file: IO[bytes], recipients: Sequence[str]) -> None:
    """Write pieces into a file that only these recipients (age1…) can read; errors of both sides pass through."""
    source, sink = _PieceSource(pieces), _PieceSink(file.write)
    try:
        pyrage.encrypt_io(source, sink, [x25519.Recipient.from_str(one) for one in recipients])
    except (pyrage.EncryptError, OSError) as fault:
        raise source.fault or sink.fault or fault from None
    if sink.fault is not None:  # of the last pieces pyrage writes it asks nobody how that went
        raise sink.fault


def decrypt(file: IO[bytes], identity: str, take: Callable[[bytes], object]) -> None:
    """Give a file's content to `take`, piece by piece, each proved; BadBundle when it was changed, cut or is for others.

    That it was cut is known at the end only: do nothing for good before this has returned once.
    """
    sink = _PieceSink(take)
    try:
        pyrage.decrypt_io(file, sink, [x25519.Identity.from_str(identity)])
    except pyrage.DecryptError as fault:
        if sink.fault is not None:
            raise sink.fault from None
        raise errors.BadBundle(reason="not_for_us" if "No matching" in str(fault) else "changed") from fault
    except OSError as fault:
        if sink.fault is not None:
            raise sink.fault from None
        raise errors.BadBundle(reason="changed") from fault
    if sink.fault is not None:
        raise sink.fault


class Spool:
    """Pieces kept on the disk until they are read back, sealed with a key that only this object has; gone when closed."""

    def __init__(self, folder: Path) -> None:
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed by close
        self._seal = ChaCha20Poly1305(ChaCha20Poly1305.generate_key())
        self._sizes: list[int] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, piece: bytes) -> None:
        """Put a piece behind the others."""
        self._sizes.append(self._file.write(self._seal.encrypt(_nonce(len(self._sizes)), piece, None)))

    def __iter__(self) -> Iterator[bytes]:
        self._file.seek(0)
        for i, size in enumerate(self._sizes):
            yield self._seal.decrypt(_nonce(i), self._file.read(size), None)


def _nonce(number: int) -> bytes:
    return number.to_bytes(12, "big")
