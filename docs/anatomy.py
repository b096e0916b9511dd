"""Bytes shown for people: hex on the left, what it is on the right. Knows msgpack and our columns."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from fieldsync.wire import columns

_WIDTH = 20  # bytes on a line
_TAGS = ("RAW", "CONST", "NULLABLE", "INTEGERS", "DECIMALS", "CHOICES", "DIGITS", "WORDS", "TEXTS", "CODES")

Path = tuple[int, ...]
Label = str | tuple[str, int]


def lines(data: bytes, text: str = "") -> list[str]:
    """Return a dump's lines: `_WIDTH` bytes each, the text behind the first."""
    pieces = [data[i : i + _WIDTH] for i in range(0, len(data), _WIDTH)] or [b""]
    first = f"{pieces[0].hex():<{2 * _WIDTH}}  {text}".rstrip()
    return [first, *(piece.hex() for piece in pieces[1:])]


def dump(*parts: tuple[bytes, str]) -> str:
    """Return bytes in the order given, each part with its meaning."""
    return "\n".join(line for data, text in parts for line in lines(data, text))


def msgpack(data: bytes, labels: Mapping[Path, Label] | None = None) -> str:
    """Return a msgpack message item by item.

    `labels` names items by their path of indexes; (name, n) says that the bytes are a column of n values.
    """
    shown: list[str] = []
    for piece, path, text in _items(data):
        label = (labels or {}).get(path, "")
        if isinstance(label, tuple):
            name, count = label
            held = data[piece][-_size(data[piece]) :] if count else b""
            text = f"{name}: {_column(held, count)}" if held else f"{name}: nothing"
        elif label:
            text = f"{label}: {text}"
        shown += lines(data[piece], "  " * len(path) + text)
    return "\n".join(shown)


def column(data: bytes, count: int) -> str:
    """Return a column byte by byte: its tag, then its content."""
    first = lines(data[:1], f"tag {data[0]}: {_TAGS[data[0]]}")
    return "\n".join([*first, msgpack(data[1:])])


def _column(data: bytes, count: int) -> str:
    values = [value.hex() if isinstance(value, bytes) else value for value in columns.decode_column(data, count)]
    return f"{_TAGS[data[0]]} {msgspec.json.encode(values).decode()}"


def _size(item: bytes) -> int:
    return len(item) - {0xC4: 2, 0xC5: 3, 0xC6: 5}[item[0]]


def _items(data: bytes) -> Iterator[tuple[slice, Path, str]]:
    """Yield (where it stands, path, what it is) of each item; of an array or a map its head."""
    at = 0

    def walk(path: Path) -> Iterator[tuple[slice, Path, str]]:
        nonlocal at
        start, tag = at, data[at]
        at += 1
        size = {0xC4: 1, 0xC5: 2, 0xC6: 4, 0xD9: 1, 0xDA: 2, 0xDC: 2, 0xDD: 4, 0xDE: 2}.get(tag, 0)
        length = int.from_bytes(data[at : at + size], "big")
        at += size
        if tag <= 0x7F or tag >= 0xE0 or tag in _FIXED:
            at += _FIXED.get(tag, 0)
            yield slice(start, at), path, _said(data[start:at])
        elif tag & 0xE0 == 0xA0 or tag in {0xD9, 0xDA}:
            at += length or tag & 0x1F if tag & 0xE0 == 0xA0 else length
            yield slice(start, at), path, _said(data[start:at])
        elif tag in {0xC4, 0xC5, 0xC6}:
            at += length
            yield slice(start, at), path, f"{length} bytes"
        elif tag & 0xF0 == 0x90 or tag in {0xDC, 0xDD}:
            count = length if size else tag & 0x0F
            yield slice(start, at), path, f"array of {count}"
            for i in range(count):
                yield from walk((*path, i))
        else:
            count = length if size else tag & 0x0F
            yield slice(start, at), path, f"map of {count}"
            for i in range(2 * count):
                yield from walk((*path, i))

    yield from walk(())
    assert at == len(data)


_FIXED = {
    0xC0: 0, 0xC2: 0, 0xC3: 0, 0xCA: 4, 0xCB: 8, 0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8, 0xD0: 1, 0xD1: 2, 0xD2: 4, 0xD3: 8,
}  # fmt: skip


def _said(item: bytes) -> str:
    value: Any = msgspec.msgpack.decode(item)
    return "nil" if value is None else msgspec.json.encode(value).decode()
