"""New passphrases: the check for easily guessed ones, and suggested words.

Argon2 makes each guess slow; it does not make the first million of them rare.
"""

import math
import re
import unicodedata
from collections.abc import Callable, Sequence

LEAST = 10  # characters
LEAST_DIGITS = 20  # of a passphrase of nothing else
BITS = 64  # that offered words give at least
_LEAST_DIFFERENT = 5
_LOOKALIKES = str.maketrans("@$013", "asoie")
_RUN = 4  # neighbours on a keyboard or in an alphabet that are one thing to remember, and to guess
_CONSONANTS = {"en": "bdfghjklmnprstvz", "ar": "بتجدرزسشطعفقكلمن"}
_VOWELS = {"en": "aiou", "ar": "اوي"}
_ROWS = (
    *("1234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm", "qazwsxedcrfvtgbyhnujmikolp", "abcdefghijklmnopqrstuvwxyz"),
    *("ضصثقفغعهخحجد", "شسيبلاتنمكط", "ئءؤرلاىةوزظ", "ابتثجحخدذرزسشصضطظعغفقكلمنهوي", "ابجدهوزحطيكلمنسعفصقرشتثخذضظغ"),
)
_TRIED_FIRST = (
    "password passwort passphrase secret admin administrator welcome letmein login office server laptop fieldsync iloveyou football",
    "computer internet google facebook whatsapp samsung kobo odk data syria damascus latakia egypt cairo saudi lebanon iraq jordan",
    "monkey dragon master sunshine princess",
    "كلمه السر المرور سر سري باسورد مرحبا اهلا حبيبي حبيبتي بسم الله الرحمن الرحيم محمد احمد علي سوريا دمشق اللاذقيه حلب مصر القاهره",
    "السعوديه لبنان العراق الاردن مكتب المكتب خادوم خادم جمعيه",
)
_COMMON = frozenset(" ".join(_TRIED_FIRST).split())


def easy_reason(passphrase: str) -> str | None:
    """Return why a passphrase is too easy: "short", "repeated", "digits", "row" or "common"; None where it is not."""
    text = unicodedata.normalize("NFKC", passphrase).strip()
    if len(text) < LEAST:
        return "short"
    signs = re.sub(r"\s", "", text.casefold())
    if len(set(signs)) < _LEAST_DIFFERENT or _is_repeated(signs):
        return "repeated"
    letters = re.sub(r"[\W_]", "", signs)
    if letters.isdecimal() and len(letters) < LEAST_DIGITS:
        return "digits"
    if len(_without_runs(signs)) < _LEAST_DIFFERENT:
        return "row"
    return "common" if _is_common(text) else None


def offered_words(lang: str, pick: Callable[[Sequence[str]], str]) -> str:
    """Return a passphrase of words that can be spoken, in the letters of a language; `pick` chooses at random.

    Each is one of 65,536 in Latin letters, of 36,864 in Arabic ones.
    """
    language = lang if lang in _CONSONANTS else "en"
    parts = [(_CONSONANTS, _VOWELS)[at % 2][language] for at in range(5)]
    bits = sum(math.log2(len(part)) for part in parts)
    return " ".join("".join(map(pick, parts)) for _ in range(math.ceil(BITS / bits)))


def _is_repeated(signs: str) -> bool:
    """Return whether a short piece, over and over, makes all of it."""
    piece = (signs + signs).find(signs, 1)  # how long it is: all of it, where it is not made of one
    return piece < min(LEAST, len(signs))


def _without_runs(signs: str) -> str:
    """Return a passphrase without runs of adjacent characters, forwards or backwards."""
    rows = [row + row for one in _ROWS for row in (one, one[::-1])]
    left, at = "", 0
    while at < len(signs):
        length = 0
        while at + length < len(signs) and any(signs[at : at + length + 1] in row for row in rows):
            length += 1
        if length < _RUN:
            left, length = left + signs[at], 1
        at += length
    return left


def _is_common(text: str) -> bool:
    """Return whether it is words that everybody tries, with figures and marks around them."""
    plain = re.sub("[أإآ]", "ا", text.casefold()).replace("ى", "ي").replace("ة", "ه")
    for said in (plain, plain.translate(_LOOKALIKES)):
        words = re.findall(r"[^\W\d_]{2,}", said)
        if words and all(word in _COMMON for word in words):
            return True
    return False
