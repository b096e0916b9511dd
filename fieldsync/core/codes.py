"""Record codes that people read out, made offline and unique without contact: `JBL-AK-42-DE`.

Unit leaf, device letters, running number, two check characters. The check is ISO 7064 MOD 1271-36:
its one-character sister MOD 37,36 misses some swaps of neighbours, and MOD 37-2 needs a `*`.
Hyphens count as 0 in the check, so a hyphen that slipped one place is caught as well.
"""

import re
from functools import lru_cache

_MODULUS = 1271
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"  # without I and O, which people take for 1 and 0
_LEAF_LENGTH = 8
_BARE = re.compile(r"[0-9A-Z]+")
_NOT_BARE = re.compile(r"[^0-9A-Z]+")
_CODE = re.compile(r"([0-9A-Z]{1,8})-([A-HJ-NP-Z]{1,6})-([1-9][0-9]{0,8})-([0-9A-Z]{2})")
_NARROW = str.maketrans("٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹‐‑–—", "01234567890123456789----")


def check_characters(text: str) -> str:
    """Return the two check characters of text made of 0-9 and A-Z; ValueError for anything else."""
    if not _BARE.fullmatch(text):
        raise ValueError("only 0-9 and A-Z can be checked")
    first, second = divmod((1 - int(text, 36) * 36**2) % _MODULUS, 36)
    return _DIGITS[first] + _DIGITS[second]


def _adds_up(text: str) -> bool:
    return int(text, 36) % _MODULUS == 1


def letters_of(n: int) -> str:
    """Return the device letters of the n-th device, from 0: A … Z, AA … without I and O."""
    if n < 0:
        raise ValueError("devices are counted from 0")
    text, n = "", n + 1
    while n:
        n, digit = divmod(n - 1, len(_LETTERS))
        text = _LETTERS[digit] + text
    return text


def number_of(letters: str) -> int:
    """Return the number of the device with these letters."""
    n = 0
    for letter in letters:
        n = n * len(_LETTERS) + _LETTERS.index(letter) + 1
    return n - 1


def are_letters(text: str) -> bool:
    """Return whether text can be a device's letters."""
    return 1 <= len(text) <= 6 and all(letter in _LETTERS for letter in text)


@lru_cache(maxsize=1_024)
def unit_leaf(unit: str) -> str:
    """Return a unit path's last part as codes write it: up to 8 of 0-9 and A-Z, or X if none is."""
    return _NOT_BARE.sub("", unit.rpartition("/")[2].upper())[:_LEAF_LENGTH] or "X"


def make_code(unit: str, letters: str, number: int) -> str:
    """Return the code of a device's number-th record in a unit; ValueError if out of bounds."""
    body = f"{unit_leaf(unit)}-{letters}-{number}"
    code = f"{body}-{check_characters(body.replace('-', '0'))}"
    if not _CODE.fullmatch(code):
        raise ValueError("letters are 1-6 of A-Z without I and O; numbers go from 1 to 999999999")
    return code


def normalise_code(text: str) -> str:
    """Return a code, or the beginning of one, as typed: small letters, Arabic digits, odd hyphens and spaces forgiven."""
    return text.strip().translate(_NARROW).upper()


def parse_code(code: str) -> tuple[str, str, int] | None:
    """Return (unit leaf, device letters, number) of a code as typed, or None if it is not one.

    Small letters, Arabic digits, outer spaces and typographic hyphens are forgiven.
    """
    found = _CODE.fullmatch(code) or _CODE.fullmatch(normalise_code(code))
    if found is None:
        return None
    leaf_, letters_, number, check = found.groups()
    if not _adds_up(f"{leaf_}0{letters_}0{number}{check}"):
        return None
    return leaf_, letters_, int(number)


def split_code(code: str) -> tuple[str, int] | None:
    """Return (the part before the number, the number) of a valid code, or None; inverse of `join_code`."""
    found = _CODE.fullmatch(code)
    if found is None:
        return None
    body = (code[:-3] + code[-2:]).replace("-", "0")
    if int(body, 36) % _MODULUS != 1 or int(code[-2:], 36) >= _MODULUS:
        return None  # the second test leaves one spelling of each remainder
    return code[: found.end(2)], int(found[3])


def join_code(prefix: str, number: int) -> str:
    """Return the code with this prefix and number; ValueError if the prefix is not made for one."""
    body = f"{prefix}-{number}"
    return f"{body}-{check_characters(body.replace('-', '0'))}"
