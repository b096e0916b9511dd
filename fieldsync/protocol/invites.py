"""Invites: the data needed to join, as one line of text that also fits a QR code."""

import base64
import binascii

import msgspec

from fieldsync import errors
from fieldsync.crypto.chain import HASH_SIZE

PREFIX = "fieldsync:1:"
MAX_LENGTH = 2_000


class Invite(msgspec.Struct, array_like=True, frozen=True):
    """The server's address, its certificate's fingerprint (32 bytes), the one-time secret, and the grants.

    organisation: the organisation's id, 32 bytes; empty in invites of 0.2.
    """

    address: str
    pin: bytes
    id: bytes
    secret: bytes
    org: str
    person: str
    grants: tuple[tuple[str, str], ...]
    organisation: bytes = b""

    def to_text(self) -> str:
        """Return the invite as its one line."""
        return PREFIX + base64.urlsafe_b64encode(msgspec.msgpack.encode(self)).decode().rstrip("=")


def parse_invite(text: str) -> Invite:
    """Read an invite out of the message that it came in, whatever white space a mail program has put in; InviteInvalid."""
    _, found, body = "".join(text.split()).partition(PREFIX)
    if not found or len(body) > MAX_LENGTH:
        raise errors.InviteInvalid(reason="unreadable")
    try:
        raw = base64.b64decode(body + "=" * (-len(body) % 4), altchars=b"-_", validate=True)
        invite = msgspec.msgpack.decode(raw, type=Invite)
    except (binascii.Error, ValueError, msgspec.MsgspecError) as fault:
        raise errors.InviteInvalid(reason="unreadable") from fault
    if (
        not invite.address.startswith("https://")
        or len(invite.pin) != HASH_SIZE
        or len(invite.organisation) not in (0, HASH_SIZE)
    ):
        raise errors.InviteInvalid(reason="unreadable")
    return invite


def fingerprint_text(pin: bytes) -> str:
    """Return a fingerprint as people compare it: its first 16 bytes in groups of four hex digits."""
    digits = pin[:16].hex().upper()
    return " ".join(digits[i : i + 4] for i in range(0, len(digits), 4))
