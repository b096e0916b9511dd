"""Writes what the frozen vectors say as JSON: `python -m tests.wire.expected`, for programs in other languages (docs/formats/vectors.md)."""

import hashlib
import io
import json
import sys
from pathlib import Path
from typing import Any

import msgspec

from fieldsync import errors
from fieldsync.core import commit as commits
from fieldsync.core.register import contexts_of
from fieldsync.core.state import State, digest_term, registers
from fieldsync.crypto import age
from fieldsync.wire import columns, messages, row_batches
from fieldsync.wire.bundle_format import BundleOpener
from fieldsync.wire.frames import HEAD, FrameCodec, FrameReader
from tests.wire import frozen

FILE = frozen.FOLDER / "expected.json"
SEALED = frozen.FOLDER / "bundle-up.age"
IDENTITY = "AGE-SECRET-KEY-1FCUH225KH2R9RPXH5VH5F6DR5SU9SZTZZPHPLHK4YXTJW35T5EWS59GYGU"  # of tests/crypto/bundle-1.age, and nobody's
_SAFE = (1 << 53) - 1  # what JavaScript keeps of an integer

_KINDS = {type(one).__name__.lower(): type(one) for one in frozen.MESSAGES}


def content(name: str) -> bytes:
    """Return a vector's bytes."""
    lines = (frozen.FOLDER / f"{name}.hex").read_text(encoding="utf-8").splitlines()
    return bytes.fromhex("".join(line for line in lines if not line.startswith("#")))


def plain(value: Any) -> Any:
    """Return a value as JSON that loses nothing: bytes, floats, large integers and maps are marked."""
    match value:
        case bytes():
            return {"bytes": value.hex()}
        case float():
            return {"float": repr(value)}
        case bool() | None | str():
            return value
        case int():
            return value if abs(value) <= _SAFE else {"int": str(value)}
        case dict():
            return {"map": [[plain(key), plain(one)] for key, one in value.items()]}
        case msgspec.Struct():
            return {name: plain(getattr(value, name)) for name in value.__struct_fields__}
    return [plain(one) for one in value]


def _commit(body: bytes) -> dict[str, Any]:
    return {"commit": plain(commits.decode_commit(body)), "body": body.hex(), "hash": hashlib.sha256(body).hexdigest()}


def plain_state(state: State) -> dict[str, Any]:
    """Return a state as JSON."""
    found = {
        name: {
            "heads": plain(register.heads), "seen": plain(sorted(register.seen.items())),
            "contexts": [None if one is None else plain(sorted(one.items())) for one in contexts_of(register)],
        }
        for name, register in sorted(registers(state).items())
    }  # fmt: skip
    return {
        "record": state.record.hex(), "type": state.type, "base": None if state.base is None else plain(state.base),
        "values": plain(state.values), "registers": found, "origins": plain(dict(state.origins)), "term": digest_term(state).to_bytes(8, "big").hex(),
    }  # fmt: skip


def _frames(raw: bytes) -> list[dict[str, Any]]:
    opened = [FrameCodec().unpack_payload(tag, payload) for tag, payload, _ in FrameReader().feed(raw)]
    return [{"kind": int(kind), "payload": payload.hex()} for kind, payload in opened]


def _bundle(raw: bytes) -> dict[str, Any]:
    opener = BundleOpener(lambda _: None)
    found = [FrameCodec().unpack_payload(tag, payload) for tag, payload in opener.feed(raw)]
    manifest = opener.finish()
    frames = [{"kind": int(kind), "payload": payload.hex()} for kind, payload in found]
    return {"manifest": plain(manifest), "sender": manifest.sender.hex(), "frames": frames}


def _refusal(name: str, raw: bytes) -> dict[str, Any]:
    try:
        match name.split("-")[1]:
            case "commit":
                commits.decode_commit(raw)
            case "column":
                columns.decode_column(raw, 9)
            case "bundle":
                _bundle(raw)
            case _:
                list(FrameReader().feed(raw))
                FrameCodec().unpack_payload(raw[0], raw[HEAD:])
    except errors.FieldsyncError as refused:
        return {"refused": refused.code}
    raise AssertionError(name)


def expected(name: str) -> Any:
    """Return what a vector says."""
    raw = content(name)
    kind, _, rest = name.partition("-")
    match kind:
        case "hostile":
            return _refusal(name, raw)
        case "commit":
            return _commit(raw)
        case "commits":
            return [_commit(commits.encode(one)) for one in row_batches.unpack_commits(raw)]
        case "states":
            return [plain_state(state) for state in row_batches.unpack_states(raw)]
        case "column":
            return plain(columns.decode_column(raw, len(frozen.VALUES[rest])))
        case "frame":
            return _frames(raw)
        case "message":
            return plain(messages.decode_message(_KINDS[rest.partition("-")[0]], raw))
    return _bundle(raw)


def text() -> str:
    """Return the file."""
    names = sorted(path.stem for path in frozen.FOLDER.glob("*.hex"))
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(expected(name), ensure_ascii=False)}" for name in names)
    return f"{{\n{lines}\n}}\n"


def sealed(path: Path = SEALED) -> bytes:
    """Return what is in the age file."""
    out = io.BytesIO()
    age.decrypt(io.BytesIO(path.read_bytes()), IDENTITY, out.write)
    return out.getvalue()


def main() -> None:
    """Write the file, and the age file where there is none."""
    FILE.write_text(text(), encoding="utf-8")
    if not SEALED.exists():
        out = io.BytesIO()
        age.encrypt([content("bundle-up")], out, [age.public_recipient(IDENTITY)])
        SEALED.write_bytes(out.getvalue())
    sys.stdout.write(f"{FILE}\n")


if __name__ == "__main__":
    main()
