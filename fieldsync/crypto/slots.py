"""The slots file: the store's random key, wrapped once for each secret that may open the store.

Bytes in, bytes out. JSON, so that the slots can be inspected; every slot's kind,
parameters and store are authenticated by its own wrapping, and a checksum tells a worn disk from a
wrong passphrase.
"""

import base64
import hashlib
import re
import unicodedata
from collections.abc import Sequence
from typing import Self, TypeVar

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from fieldsync import errors
from fieldsync.crypto.keys import DeviceKey
from fieldsync.environment import SYSTEM, Environment

VERSION = 1  # 1: the first
KEY_SIZE = 32
MEMORY = range(64 * 1024, 1024 * 1024 + 1)  # KiB
ITERATIONS = range(3, 21)
LANES = range(1, 9)
DEFAULT_MEMORY, DEFAULT_ITERATIONS, DEFAULT_LANES = 256 * 1024, 3, 1  # about a second on a laptop

_SIGNER = b"fieldsync recovery signer 1"
_SALT_SIZE = 16
_NONCE_SIZE = 12
_WRAPPED_SIZE = KEY_SIZE + 16
_RECOVERY_SIZE = 20
_RECOVERY_LETTERS = 32
_RECOVERY_GROUP = 4
_MOST_SLOTS = 16
_MOST_BYTES = 16 * 1024
_MISREAD = str.maketrans("018", "OIB")  # base32 has neither 0, 1 nor 8


class _Slot(msgspec.Struct, frozen=True, tag_field="kind", forbid_unknown_fields=True):
    salt: bytes
    nonce: bytes
    wrapped: bytes


class _Passphrase(_Slot, frozen=True, tag="passphrase"):
    memory: int
    iterations: int
    lanes: int


class _KeyFile(_Slot, frozen=True, tag="keyfile"):
    pass


class _Recovery(_Slot, frozen=True, tag="recovery"):
    pass


_AnySlot = _Passphrase | _KeyFile | _Recovery
_Kind = TypeVar("_Kind", bound=_Slot)


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: int
    store: str
    slots: list[_AnySlot]
    checksum: str = ""


class Slots:
    """The slots of one store; each opens to the same 32-byte key."""

    def __init__(self, store: bytes, slots: tuple[_AnySlot, ...] = (), environment: Environment = SYSTEM) -> None:
        self.store = store
        self._slots = slots
        self._random_bytes = environment.random_bytes

    @classmethod
    def create(cls, store: bytes, environment: Environment = SYSTEM) -> Self:
        """Return the slots of a new store, none yet; salts and nonces come from `environment`."""
        return cls(store, environment=environment)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read a slots file; StoreDamaged if it is not one, BadVersion if a later program's."""
        if len(data) > _MOST_BYTES:
            raise errors.StoreDamaged(part="slots")
        try:
            version = msgspec.json.decode(data, type=_Version).version
            file = msgspec.json.decode(data, type=_File) if version <= VERSION else None
            slots = cls(bytes.fromhex(file.store), tuple(file.slots)) if file else cls(b"")
        except (ValueError, RecursionError) as error:
            raise errors.StoreDamaged(part="slots") from error
        if file is None:
            raise errors.BadVersion(what="slots", theirs=version, ours=VERSION)
        sizes = {(len(slot.salt), len(slot.nonce), len(slot.wrapped)) for slot in file.slots}
        fit = sizes <= {(_SALT_SIZE, _NONCE_SIZE, _WRAPPED_SIZE)} and len(file.slots) <= _MOST_SLOTS
        if not fit or version != VERSION or slots.to_bytes() != data:
            raise errors.StoreDamaged(part="slots")
        return slots

    def to_bytes(self) -> bytes:
        """Return the slots file."""
        file = _File(VERSION, self.store.hex(), list(self._slots))
        checksum = hashlib.sha256(msgspec.json.encode(file)).hexdigest()
        file = msgspec.structs.replace(file, checksum=checksum)
        return msgspec.json.format(msgspec.json.encode(file), indent=1) + b"\n"

    @property
    def kinds(self) -> list[str]:
        """The kinds of slot there are, in the order in which they were added."""
        return [str(type(slot).__struct_config__.tag) for slot in self._slots]

    def add_passphrase(
        self,
        key: bytes,
        passphrase: str,
        *,
        memory: int = DEFAULT_MEMORY,
        iterations: int = DEFAULT_ITERATIONS,
        lanes: int = DEFAULT_LANES,
    ) -> None:
        """Let a passphrase open the store; memory in KiB.

        NoSecret if it is empty, SlotPolicy if the parameters are out of policy.
        """
        if not passphrase:
            raise errors.NoSecret
        salt, nonce = self._random_bytes(_SALT_SIZE), self._random_bytes(_NONCE_SIZE)
        slot = _Passphrase(salt, nonce, b"", memory, iterations, lanes)
        self._add_slot(slot, _stretch_passphrase(slot, passphrase), key)

    def replace_passphrase(
        self,
        key: bytes,
        passphrase: str,
        *,
        memory: int = DEFAULT_MEMORY,
        iterations: int = DEFAULT_ITERATIONS,
        lanes: int = DEFAULT_LANES,
    ) -> None:
        """Let this passphrase open the store and no earlier one; other slots stay."""
        earlier = self._slots_of_kind(_Passphrase)
        self.add_passphrase(key, passphrase, memory=memory, iterations=iterations, lanes=lanes)
        self._drop_slots(earlier)

    def open_passphrase(self, passphrase: str) -> bytes:
        """Return the store's key; WrongPassphrase, or SlotPolicy before anything is derived."""
        for slot in self._slots_of_kind(_Passphrase):
            key = self._unwrap_key(slot, _stretch_passphrase(slot, passphrase))
            if key is not None:
                return key
        raise errors.WrongPassphrase

    def add_keyfile(self, key: bytes, secret: bytes) -> None:
        """Let a key file's bytes open the store; BadInput if fewer than 32: none is stretched."""
        if len(secret) < KEY_SIZE:
            raise errors.BadInput(reason="short_secret", need=KEY_SIZE)
        slot = _KeyFile(self._random_bytes(_SALT_SIZE), self._random_bytes(_NONCE_SIZE), b"")
        self._add_slot(slot, _derive_key(slot, secret), key)

    def open_keyfile(self, secret: bytes) -> bytes:
        """Return the store's key; WrongPassphrase if no slot opens to these bytes."""
        return self._open_slot(_KeyFile, secret)

    def make_recovery(self, key: bytes) -> str:
        """Return a new recovery key to print, eight groups of four letters; earlier ones end."""
        secret = self._random_bytes(_RECOVERY_SIZE)
        earlier = self._slots_of_kind(_Recovery)
        slot = _Recovery(self._random_bytes(_SALT_SIZE), self._random_bytes(_NONCE_SIZE), b"")
        self._add_slot(slot, _derive_key(slot, secret), key)
        self._drop_slots(earlier)
        text = base64.b32encode(secret).decode("ascii")
        groups = range(0, _RECOVERY_LETTERS, _RECOVERY_GROUP)
        return "-".join(text[at : at + _RECOVERY_GROUP] for at in groups)

    def open_recovery(self, text: str) -> bytes:
        """Return the store's key from a printed recovery key; WrongPassphrase if it is not it.

        Case, spaces, hyphens, and 0, 1 and 8 typed for O, I and B are forgiven.
        """
        return self._open_slot(_Recovery, _recovery_secret(text))

    def _open_slot(self, kind: type[_KeyFile | _Recovery], secret: bytes) -> bytes:
        for slot in self._slots_of_kind(kind):
            key = self._unwrap_key(slot, _derive_key(slot, secret))
            if key is not None:
                return key
        raise errors.WrongPassphrase

    def _slots_of_kind(self, kind: type[_Kind]) -> list[_Kind]:
        return [slot for slot in self._slots if isinstance(slot, kind)]

    def _drop_slots(self, earlier: Sequence[_AnySlot]) -> None:
        self._slots = tuple(slot for slot in self._slots if slot not in earlier)

    def _add_slot(self, slot: _AnySlot, wrapping: bytes, key: bytes) -> None:
        if len(key) != KEY_SIZE:
            raise ValueError("a store's key is 32 bytes")
        if len(self._slots) >= _MOST_SLOTS:
            raise errors.TooLarge(what="slots", limit=_MOST_SLOTS)
        wrapped = ChaCha20Poly1305(wrapping).encrypt(slot.nonce, key, self._bound_data(slot))
        self._slots += (msgspec.structs.replace(slot, wrapped=wrapped),)

    def _unwrap_key(self, slot: _AnySlot, wrapping: bytes) -> bytes | None:
        try:
            return ChaCha20Poly1305(wrapping).decrypt(slot.nonce, slot.wrapped, self._bound_data(slot))
        except InvalidTag:
            return None

    def _bound_data(self, slot: _AnySlot) -> bytes:
        """Return the data that a slot's wrapping authenticates: everything but the wrapped key."""
        said = msgspec.to_builtins(slot, builtin_types=(bytes,))
        said |= {"version": VERSION, "store": self.store.hex()}
        said |= {"salt": slot.salt.hex(), "nonce": slot.nonce.hex()}
        del said["wrapped"]
        return msgspec.json.encode(said, order="deterministic")


def recovery_signer(text: str) -> DeviceKey:
    """Return the key by which a printed recovery key signs in the trust register. WrongPassphrase if it is none."""
    return DeviceKey.from_bytes(hashlib.sha256(_SIGNER + _recovery_secret(text)).digest())


def _recovery_secret(text: str) -> bytes:
    letters = re.sub(r"[\s-]", "", text).upper().translate(_MISREAD)
    try:
        secret = base64.b32decode(letters)
    except ValueError as error:
        raise errors.WrongPassphrase from error
    if len(secret) != _RECOVERY_SIZE:
        raise errors.WrongPassphrase
    return secret


class _Version(msgspec.Struct):
    version: int


def _stretch_passphrase(slot: _Passphrase, passphrase: str) -> bytes:
    within = slot.memory in MEMORY and slot.iterations in ITERATIONS and slot.lanes in LANES
    if not within:
        raise errors.SlotPolicy
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

    # Keyboards differ in how they compose an accent or a hamza: the passphrase is the same.
    secret = unicodedata.normalize("NFC", passphrase).encode("utf-8", "surrogatepass")
    return Argon2id(
        salt=slot.salt,
        length=KEY_SIZE,
        iterations=slot.iterations,
        lanes=slot.lanes,
        memory_cost=slot.memory,
    ).derive(secret)


def _derive_key(slot: _KeyFile | _Recovery, secret: bytes) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    info = b"fieldsync slot 1 " + str(type(slot).__struct_config__.tag).encode()
    return HKDF(SHA256(), KEY_SIZE, slot.salt, info).derive(secret)
