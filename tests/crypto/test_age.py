"""age files: those of any version open, altered ones do not, and no error of the library escapes."""

import io
from pathlib import Path

import msgspec
import pyrage
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldsync import errors
from fieldsync.crypto import age
from fieldsync.environment import SYSTEM

FROZEN = (Path(__file__).parent / "bundle-1.age").read_bytes()
IDENTITY = "AGE-SECRET-KEY-1FCUH225KH2R9RPXH5VH5F6DR5SU9SZTZZPHPLHK4YXTJW35T5EWS59GYGU"  # of this file, and nobody's
CONTENT = b"fieldsync bundle 1\n" + bytes(range(256)) * 300


def opened(data: bytes, identity: str = IDENTITY) -> bytes:
    """Return a file's content."""
    out = io.BytesIO()
    age.decrypt(io.BytesIO(data), identity, out.write)
    return out.getvalue()


def test_the_frozen_file_opens() -> None:
    """With its identity, here and with the library alone."""
    assert opened(FROZEN) == CONTENT
    assert pyrage.decrypt(FROZEN, [pyrage.x25519.Identity.from_str(IDENTITY)]) == CONTENT


def test_a_new_identity_is_what_the_environment_draws() -> None:
    """The text is the one that age itself writes for 32 bytes 0x42 (filippo.io/age, age_test.go), and pyrage reads each."""
    fixed = msgspec.structs.replace(SYSTEM, random_bytes=lambda size: b"\x42" * size)
    assert age.new_identity(fixed) == "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX"
    drawn = [age.new_identity() for _ in range(100)]
    assert [str(pyrage.x25519.Identity.from_str(one)) for one in drawn] == drawn
    assert len(set(drawn)) == 100


def test_only_recipients_can_read_a_file() -> None:
    """Another identity is refused as not a recipient; each of several recipients can read it."""
    other, third = age.new_identity(), age.new_identity()
    with pytest.raises(errors.BadBundle) as fault:
        opened(FROZEN, other)
    assert fault.value.facts == {"reason": "not_for_us"}
    out = io.BytesIO()
    age.encrypt([b"a", b"", b"b" * 200_000], out, [age.public_recipient(other), age.public_recipient(third)])
    assert opened(out.getvalue(), other) == opened(out.getvalue(), third) == b"a" + b"b" * 200_000


@given(st.binary(max_size=300), st.integers(0, len(FROZEN)))
def test_altered_files_are_refused(data: bytes, at: int) -> None:
    """Any bytes, also within a valid file, give BadBundle, never the library's own error."""
    for tried in (data, FROZEN[:at] + data, FROZEN[:at] + data + FROZEN[at + len(data) :]):
        if tried != FROZEN:
            with pytest.raises(errors.BadBundle):
                opened(tried)


def test_errors_of_the_source_and_target_are_kept() -> None:
    """A failure while reading or writing pieces is reported as such."""

    def broken():
        yield b"x"
        raise errors.StoreDamaged(part="store")

    class Full(io.BytesIO):
        def write(self, _data: object) -> int:
            raise OSError(28, "No space left on device")

    to = [age.public_recipient(IDENTITY)]
    with pytest.raises(errors.StoreDamaged):
        age.encrypt(broken(), io.BytesIO(), to)
    with pytest.raises(OSError, match="No space"):
        age.encrypt([b"x"], Full(), to)
    with pytest.raises(errors.Gap):
        age.decrypt(io.BytesIO(FROZEN), IDENTITY, lambda _: (_ for _ in ()).throw(errors.Gap()))
    with pytest.raises(OSError, match="No space"):
        age.decrypt(io.BytesIO(FROZEN), IDENTITY, Full().write)


def test_only_x25519_recipients_are_accepted() -> None:
    """Other recipient types are refused."""
    assert age.is_recipient(age.public_recipient(IDENTITY))
    for text in ("", "age1", IDENTITY, "ssh-ed25519 AAAA", age.public_recipient(IDENTITY)[:-1] + "x", "\0", "é" * 99):
        assert not age.is_recipient(text)


def test_temporary_pieces_are_encrypted_and_deleted(tmp_path: Path) -> None:
    """They can be read back repeatedly; the disk holds no plain text, and afterwards no file."""
    pieces = [b"piece", b"", b"WISTERIA" * 9_000]
    with age.Spool(tmp_path) as spool:
        for piece in pieces:
            spool.add(piece)
        assert list(spool) == list(spool) == pieces
        spool._file.seek(0)
        assert b"WISTERIA" not in spool._file.read()
    assert list(tmp_path.iterdir()) == []
