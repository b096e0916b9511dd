"""Writes the frozen vectors anew: `python -m tests.wire.frozen`, only ever with a new version of a format beside the old.

A vector is a file of hexadecimal digits; lines that begin with # say what it holds and what a reader makes of it.
"""

from pathlib import Path

import msgspec
import zstandard

from fieldsync.core import codes
from fieldsync.core import commit as commits
from fieldsync.core.commit import Commit, state_of
from fieldsync.core.register import Head, Register
from fieldsync.core.state import Base, State
from fieldsync.wire import columns, messages, rows
from fieldsync.wire.frames import COMPRESSED, MAX_COMPRESSED, Codec, Kind

FOLDER = Path(__file__).with_name("vectors")
AMAL, BASIM, SAMAR = (bytes([n]) * 16 for n in (0xA1, 0xB2, 0xC3))
FAMILY, CASE = (bytes.fromhex(f"019a3f5c7b0070008000000000000{n:03d}") for n in (1, 2))

ADD = Commit(
    1, AMAL, 1, 117545849856000000, "Amal", "household", 1, FAMILY, None,
    {"_code": "JBL-B-1-S5", "_unit": "LAT/JBL", "family_name": "محمد أحمد", "groups": ["idp", "orphan"], "size_stated": 7}, (),
)  # fmt: skip
EDIT = Commit(
    1, AMAL, 2, 117545849856000001, "Amal", "household", 1, FAMILY, "زيارة", {"groups/idp": False, "location": "007", "size_stated": None},
    ((("groups/idp", "size_stated"), ((AMAL, 1),)), (("location",), ((AMAL, 1), (BASIM, 4)))),
)  # fmt: skip
STATES = [
    state_of(ADD),
    State(CASE, "case", Base(BASIM, 3, 9, "Basim"), {"_code": "JBL-C-2-00", "concerns": ["neglect"]}, {
        "risk": Register((Head(AMAL, 5, 10, "Amal", "high"), Head(BASIM, 4, 11, "Basim", "low")), {AMAL: 5, BASIM: 4}),
        "reopen_count/" + SAMAR.hex(): Register((Head(SAMAR, 1, 12, "سمر", 2),), {SAMAR: 1}),
        "opened_on": Register((Head(SAMAR, 2, 13, "سمر", None),), {SAMAR: 2, BASIM: 3}),
    }, {"risk": "medium"}),
]  # fmt: skip
VALUES = {
    "integers": [5, 900, -3, 1 << 62], "steps": [10, 11, 12, 13], "decimals": [0.5, -1.25, 33.3], "digits": ["2026-01-02", "1999-12-31"],
    "choices": ["idp", "host"] * 4, "words": ["محمد أحمد", "أحمد محمد"] * 2 + ["محمد محمد", "أحمد أحمد"] * 2 + ["محمد", "أحمد", "محمد أحمد محمد"],
    "texts": ["007", "7", "", "a b"], "raw": [1, 1.0, True, None, "1", -0.0, "a\0b\nc"], "nullable": [None, "x", None], "constant": [7, 7, 7],
    "codes": [codes.make("LAT/JBL", "B", n) for n in (1, 2, 40)],
}  # fmt: skip


def _column(tag: int, content: object) -> bytes:
    return bytes([tag]) + msgspec.msgpack.encode(content)


def good() -> dict[str, tuple[str, bytes]]:
    """Return name → (what it holds, bytes) of the vectors that are read."""
    made = {
        "commit-add": ("a commit that makes a household", commits.encode(ADD)),
        "commit-edit": ("a commit that changes it: a member dropped, a field emptied, a note", commits.encode(EDIT)),
        "commits-payload": ("both of them as columns", rows.pack_commits([ADD, EDIT])),
        "states-payload": (
            "a household as made; a case with a conflict, a tally and an emptied field",
            rows.pack_states(STATES),
        ),
        "frame-plain": ("an END frame, not compressed", Codec().pack(Kind.END, messages.encode(messages.End()))),
        "frame-zstd": (
            "a STATES frame, compressed without a dictionary",
            Codec().pack(Kind.STATES, b"fieldsync " * 60),
        ),
    }
    return made | {f"column-{name}": (f"{values!a}", columns.encode(values)) for name, values in VALUES.items()}  # type: ignore[arg-type]


def hostile() -> dict[str, tuple[str, bytes]]:
    """Return name → (what it tries, bytes) of the vectors that are refused."""
    bomb = zstandard.ZstdCompressor(level=3, write_content_size=False).compress(bytes(64 << 20))
    encoded = commits.encode(ADD)
    return {
        "hostile-frame-bomb": (
            "64 MiB of zeros in one compressed frame",
            bytes([Kind.STATES | COMPRESSED]) + len(bomb).to_bytes(4, "big") + bomb,
        ),
        "hostile-frame-long": (
            "a frame that says it is longer than any may be",
            bytes([Kind.STATES]) + (MAX_COMPRESSED + 1).to_bytes(4, "big"),
        ),
        "hostile-frame-kind": ("a frame of no known kind", b"\x7f\0\0\0\0"),
        "hostile-commit-spelling": (
            "the sequence number in two bytes instead of one",
            encoded.replace(b"\x01\xcf", b"\xcc\x01\xcf", 1),
        ),
        "hostile-commit-trailing": ("a byte behind the commit", encoded + b"\0"),
        "hostile-commit-nan": (
            "a value that is no number",
            commits.encode(msgspec.structs.replace(ADD, fields={"a": float("nan")})),
        ),
        "hostile-commit-order": (
            "fields out of order",
            commits.encode(msgspec.structs.replace(ADD, fields={"b": 1, "a": 2})),
        ),
        "hostile-commit-deep": ("100 lists in each other", encoded[:-1] + b"\x91" * 100 + b"\xc0"),
        "hostile-column-power": (
            "decimals with 2^40 places",
            _column(columns.DECIMALS, (1 << 40, _column(columns.CONST, 1))),
        ),
        "hostile-column-words": (
            "a million words of 100 letters",
            _column(columns.WORDS, (["x" * 100], 1 << 20, _column(columns.CONST, 0))),
        ),
        "hostile-column-planes": ("a plane that is not there", _column(columns.INTEGERS, (0, 0, 0, 8, b""))),
        "hostile-column-mask": (
            "a mask of bytes other than 0 and 1",
            _column(columns.NULLABLE, (b"\xff" * 9, _column(columns.RAW, []))),
        ),
    }


def main() -> None:
    """Write all of them."""
    FOLDER.mkdir(exist_ok=True)
    for name, (what, content) in (good() | hostile()).items():
        digits = content.hex()
        lines = [digits[i : i + 96] for i in range(0, len(digits), 96)]
        (FOLDER / f"{name}.hex").write_text("\n".join([f"# {what}", *lines]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
