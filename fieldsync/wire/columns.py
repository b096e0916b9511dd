"""Column encodings: many values of one field in few bytes. Each picks the smallest of a few plain encodings; zstd does the rest.

Byte by byte: docs/formats/columns.md. An encoding is only used if it restores exactly the same values, types included.
"""

import sys
from array import array
from collections.abc import Callable, Sequence
from operator import sub
from typing import Any

import msgspec

from fieldsync import errors
from fieldsync.core import codes, commit
from fieldsync.core.register import Value

RAW, CONST, NULLABLE, INTEGERS, DECIMALS, CHOICES, DIGITS, WORDS, TEXTS, CODES = range(10)

_MANY = 256
MAX_TEXT = 32 * 1024 * 1024  # of one column, in characters
_REPEATING = (CONST, CHOICES, DIGITS, WORDS, CODES)
# what may stand inside of other columns: nothing nests deeper than nullable codes
_NUMBERS = (RAW, CONST, INTEGERS)
_PREFIXES = (RAW, CONST, CHOICES, DIGITS, WORDS, TEXTS)
_KNOWN = (*_PREFIXES, INTEGERS, DECIMALS, CODES)
_MOST_WORDS = 1 << 20
_DIGIT_TO_ZERO = {ord(d): "0" for d in "123456789"}
_WIDEST = (1 << 63) - 1
_SEPARATOR = " \n "
_MOST_PLACES, _MOST_DIGITS = 9, 18
_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder().decode

Header = tuple[int, ...]


def encode_column(values: Sequence[Value]) -> bytes:
    """Return a column's bytes: a tag, then the encoding's content. Values are JSON values."""
    kinds = set(map(type, values))
    if len(kinds) == 1:
        kind = kinds.pop()
        if kind is str:
            return _encode_texts(values)  # type: ignore[arg-type]  # every value is a str here
        if kind is int:
            return _encode_integers(values)  # type: ignore[arg-type]  # every value is an int here
        if kind is float:
            return _encode_decimals(values)  # type: ignore[arg-type]  # every value is a float here
        if kind is not list and all(value is values[0] for value in values):
            return _pack_tagged(CONST, values[0])
    elif len(kinds) == 2 and type(None) in kinds:
        mask = bytes([value is not None for value in values])
        return _pack_tagged(NULLABLE, (mask, encode_column([value for value in values if value is not None])))
    return _pack_tagged(RAW, list(values))


def _pack_tagged(tag: int, content: object) -> bytes:
    return bytes((tag,)) + _pack(content)


def _encode_integers(values: Sequence[int]) -> bytes:
    low, high = min(values), max(values)
    if low == high:
        return _pack_tagged(CONST, low)
    if high - low > _WIDEST:
        return _pack_tagged(RAW, list(values))
    steps = list(map(sub, values[1:], values))
    least, most = min(steps), max(steps)
    if most - least < (high - low) >> 1:
        width, planes = _byte_planes(steps, least)
        return _pack_tagged(INTEGERS, (1, values[0], least, width, planes))
    width, planes = _byte_planes(values, low)
    return _pack_tagged(INTEGERS, (0, 0, low, width, planes))


def _byte_planes(values: Sequence[int], low: int) -> tuple[int, bytes]:
    """Return the values minus `low` as byte planes, lowest first, so that equal bytes are adjacent."""
    width = ((max(values) - low).bit_length() + 7) // 8
    words = array("Q", [value - low for value in values] if low else values)
    if sys.byteorder == "big":
        words.byteswap()
    whole = words.tobytes()
    return width, b"".join(whole[i::8] for i in range(width))


def _from_planes(width: int, planes: bytes, low: int, count: int) -> list[int]:
    if not 0 <= width <= 8 or len(planes) != width * count:
        raise errors.BadFrame(reason="column")
    whole = bytearray(8 * count)
    for i in range(width):
        whole[i::8] = planes[i * count : (i + 1) * count]
    words = array("Q", bytes(whole))
    if sys.byteorder == "big":
        words.byteswap()
    return [word + low for word in words] if low else words.tolist()


def _encode_decimals(values: Sequence[float]) -> bytes:
    texts = list(map(repr, values))
    places = max(len(text.partition(".")[2]) for text in texts)
    if places <= _MOST_PLACES and "e" not in "".join(texts) and "-0.0" not in texts:
        scale = 10**places
        scaled = [round(value * scale) for value in values]
        if [whole / scale for whole in scaled] == list(values):
            return _pack_tagged(DECIMALS, (places, _encode_integers(scaled)))
    return _pack_tagged(RAW, list(values))


def _encode_texts(values: Sequence[str]) -> bytes:
    distinct = dict.fromkeys(values)
    if max(map(len, distinct)) * len(values) > MAX_TEXT:
        return _pack_tagged(RAW, list(values))  # no more in few bytes than a decoder takes
    if len(distinct) == 1:
        return _pack_tagged(CONST, values[0])
    if len(distinct) <= _MANY and len(distinct) * 2 <= len(values):
        order = {value: i for i, value in enumerate(distinct)}
        return _pack_tagged(CHOICES, (list(distinct), bytes(map(order.__getitem__, values))))
    template = _template(values)
    if template is not None:
        numbers = list(map(int, "\n".join(values).translate(_not_digits(template)).split("\n")))
        return _pack_tagged(DIGITS, (template, _encode_integers(numbers)))
    if len(values) > 1:
        coded = list(map(codes.split_code, values)) if codes.split_code(values[0]) else [None]
        if all(coded):
            prefixes, running = zip(*coded, strict=True)
            return _pack_tagged(CODES, (_encode_texts(prefixes), _encode_integers(running)))
    joined = _SEPARATOR.join(values)
    if joined.count("\n") == len(values) - 1:
        words = joined.split(" ")
        order = {word: i for i, word in enumerate(dict.fromkeys(words))}
        if len(order) <= 0xFFFF and len(order) * 3 <= len(words) <= _MOST_WORDS:
            indexes = [order[word] for word in words]
            return _pack_tagged(WORDS, (list(order), len(words), _encode_integers(indexes)))
    text = "\0".join(values)
    return _pack_tagged(TEXTS, text) if text.count("\0") == len(values) - 1 else _pack_tagged(RAW, list(values))


def _template(values: Sequence[str]) -> str | None:
    """Return the one shape of all values with 0 for each digit, or None: `+00000000000`, `0000-00-00`."""
    first = values[0].translate(_DIGIT_TO_ZERO)
    if not 1 < first.count("0") <= _MOST_DIGITS or "\n" in first or not first.isascii():
        return None
    same = "\n".join(values).translate(_DIGIT_TO_ZERO) == "\n".join([first] * len(values))
    return first if same else None


def _not_digits(template: str) -> dict[int, None]:
    return {ord(c): None for c in template if c != "0"}


def decode_column(column: bytes, count: int) -> list[Any]:
    """Return the `count` values of a column; anything out of shape is BadFrame."""
    try:
        values = _decode_tagged(column, count)
    except (
        msgspec.DecodeError,
        TypeError,
        ValueError,
        IndexError,
        OverflowError,
        RecursionError,
        AttributeError,
    ) as fault:
        raise errors.BadFrame(reason="column") from fault
    if len(values) != count or (column[0] in _REPEATING and _text_length(values) > MAX_TEXT):
        raise errors.BadFrame(reason="column")
    return values


def _text_length(values: list[Any]) -> int:
    return sum(len(value) for value in values if isinstance(value, str))


def _decode_tagged(column: bytes, count: int) -> list[Any]:
    content = _unpack(memoryview(column)[1:])
    return _DECODERS[column[0]](content, count)


def _decode_nested(column: bytes, count: int, tags: Sequence[int]) -> list[Any]:
    """Decode a column nested in another."""
    if not column or column[0] not in tags:
        raise errors.BadFrame(reason="column")
    return decode_column(column, count)


def _check_values(values: list[Any]) -> list[Any]:
    if not isinstance(values, list) or not all(map(commit.is_json_value, values)):
        raise errors.BadFrame(reason="value")
    return values


def _decode_const(content: Value, count: int) -> list[Any]:
    return _check_values([content]) * count


def _decode_raw(content: list[Value], _count: int) -> list[Any]:
    return _check_values(content)


def _decode_nullable(content: tuple[bytes, bytes], count: int) -> list[Any]:
    mask, inner = content
    if not isinstance(mask, bytes) or len(mask) != count or mask.translate(None, b"\x00\x01"):
        raise errors.BadFrame(reason="column")
    known = iter(_decode_nested(inner, count - mask.count(0), _KNOWN))
    return [next(known) if there else None for there in mask]


def _decode_integers(content: tuple[int, int, int, int, bytes], count: int) -> list[int]:
    steps, first, low, width, planes = content
    if steps not in (0, 1):
        raise errors.BadFrame(reason="column")
    if steps:
        values = [first]
        value = first
        for step in _from_planes(width, planes, low, count - 1):
            value += step
            values.append(value)
    else:
        values = _from_planes(width, planes, low, count)
    return _check_values([min(values), max(values)]) and values


def _decode_decimals(content: tuple[int, bytes], count: int) -> list[float]:
    places, inner = content
    if not 0 <= places <= _MOST_PLACES:
        raise errors.BadFrame(reason="column")
    scale = 10**places
    return [whole / scale for whole in _decode_nested(inner, count, _NUMBERS)]


def _decode_choices(content: tuple[list[Value], bytes], _count: int) -> list[Any]:
    distinct, indexes = content
    return list(map(_check_values(distinct).__getitem__, indexes))


def _decode_digits(content: tuple[str, bytes], count: int) -> list[str]:
    template, inner = content
    if template.count("0") > _MOST_DIGITS or len(template) * count > MAX_TEXT:
        raise errors.BadFrame(reason="column")
    over = 10 ** template.count("0")  # keeps leading zeros: "1" and then the digits
    shape = template.replace("%", "%%").replace("0", "%s")
    prefix = template.rstrip("0")
    numbers = _decode_nested(inner, count, _NUMBERS)
    if "0" not in prefix:
        return [prefix + str(number + over)[1:] for number in numbers]
    distinct = {number: shape % tuple(str(number + over)[1:]) for number in set(numbers)}
    return [distinct[number] for number in numbers]


def _decode_words(content: tuple[list[str], int, bytes], _count: int) -> list[str]:
    words, total, inner = content
    _check_values(words)
    if total > _MOST_WORDS:
        raise errors.BadFrame(reason="column")
    chosen = list(map(words.__getitem__, _decode_nested(inner, total, _NUMBERS)))
    if max(map(len, words)) * total > MAX_TEXT and sum(map(len, chosen)) > MAX_TEXT:
        raise errors.BadFrame(reason="column")
    return " ".join(chosen).split(_SEPARATOR)


def _decode_texts(content: str, _count: int) -> list[str]:
    return content.split("\0")


def _decode_codes(content: tuple[bytes, bytes], count: int) -> list[str]:
    prefixes, numbers = content
    pairs = zip(_decode_nested(prefixes, count, _PREFIXES), _decode_nested(numbers, count, _NUMBERS), strict=True)
    return [codes.join_code(prefix, number) for prefix, number in pairs]


_DECODERS: tuple[Callable[..., list[Any]], ...] = (
    _decode_raw, _decode_const, _decode_nullable, _decode_integers, _decode_decimals, _decode_choices,
    _decode_digits, _decode_words, _decode_texts, _decode_codes,
)  # fmt: skip
