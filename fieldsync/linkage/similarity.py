"""Similarity of two spelt names, within a script by letters, across scripts by consonants and written vowels."""

from functools import lru_cache

from fieldsync.core import names
from fieldsync.linkage.name_lists import full_names, is_first, known_meanings

SAME, SPELT = 1.0, 0.96  # folded equal; the same consonants, and vowels that do not contradict each other
ALIKE = 0.7  # from it on two names may be one, spelt otherwise; below it they are two
TWO, SLIP, ADDED, SHORT = 0.5, 0.75, 0.8, 0.85  # two known names; a letter off one; one name more; one for short
_ONE_VOWEL, _VOWELS = 0.72, 0.45  # what is left when one written vowel contradicts (Hassan, Hussein), or several
_ACROSS = 0.95
_LONG = ("ee", "ei", "ie", "oo")
_LETTERS = {"ا": "a", "و": "u", "ي": "i"}
_LATIN = {"a": "a", "e": "ai", "i": "i", "y": "i", "o": "u", "u": "u", "w": "u"}


@lru_cache(maxsize=1 << 15)
def name_parts(text: str) -> tuple[str, ...]:
    """Return a name's folded tokens."""
    return tuple(names.name_tokens(text))


@lru_cache(maxsize=1 << 17)
def name_likeness(a: tuple[str, ...], b: tuple[str, ...]) -> float:
    """Return from 0 to 1 how alike two names of one or more tokens are; a token that one of them lacks costs a little."""
    if a == b:
        return SAME
    if len(a) == len(b) == 1:
        return _token_likeness(a[0], b[0])
    if len(a) > len(b):
        a, b = b, a
    together = _token_likeness("".join(a), "".join(b))
    if not a:
        return 0.0
    if is_first(a, b):
        return ADDED
    found = [max(_token_likeness(one, other) for other in b) for one in a]
    return max(together, sum(found) / len(found) - 0.06 * (len(b) - len(a)))


def _token_likeness(a: str, b: str) -> float:
    if a == b:
        return SAME
    mine, its = known_meanings(a), known_meanings(b)
    if mine and its:
        return SPELT if mine & its else TWO
    if full_names(a) & its or full_names(b) & mine or full_names(a) & full_names(b):
        return SHORT
    bones, others = names.skeleton(a), names.skeleton(b)
    arabic = _is_arabic(a), _is_arabic(b)
    same_bones = bones == others and bones != ""
    if all(arabic):  # vowels that are written are letters: حسن and حسين are two names
        like = _shared_part(a, b)
        return max(like, SLIP) if (mine or its) and _edits(a, b) == 1 else like
    if same_bones:
        wrong = _contradictions(names.vowels(a), names.vowels(b), arabic)
        return (SPELT, _ONE_VOWEL)[wrong] if wrong < 2 else _VOWELS
    across = _ACROSS * _shared_part(bones, others) if len(bones) > 2 < len(others) else 0.0
    return across if any(arabic) else max(across, _shared_part(a, b))


def _edits(a: str, b: str) -> int:
    """Count the letters that are added, dropped, changed or swapped with the next."""
    from rapidfuzz.distance import OSA  # late: most commands compare no names

    return OSA.distance(a, b)


def _shared_part(a: str, b: str) -> float:
    longest = max(len(a), len(b))
    return 1 - _edits(a, b) / longest if longest else 0.0


def _is_arabic(token: str) -> bool:
    return token[:1] > "\u05ff"


def _contradictions(a: list[str], b: list[str], arabic: tuple[bool, bool]) -> int:
    """Count the places where the written vowels cannot be one sound; before the first consonant anything goes."""
    if len(a) != len(b):
        return 1
    wrong = 0
    for place, (one, other) in enumerate(zip(a, b, strict=True)):
        if place:
            mine, its = _vowel_sounds(one, arabic[0]), _vowel_sounds(other, arabic[1])
            if place == len(a) - 1:  # a final ى is an a
                mine, its = (heard | {"a"} if "i" in heard else heard for heard in (mine, its))
            wrong += bool(mine and its and not mine & its)
            # what Arabic writes is long, and Latin letters always write it
            wrong += _unwritten(one, other, arabic[0]) or _unwritten(other, one, arabic[1])
    return wrong


def _unwritten(one: str, other: str, arabic: bool) -> bool:
    """Return whether Arabic writes a vowel that Latin letters do not have at all, or has none where they have a long one."""
    if not arabic:
        return False
    return any(letter in _LETTERS for letter in one) if not other else not one and any(long in other for long in _LONG)


def _vowel_sounds(written: str, arabic: bool) -> set[str]:
    table = _LETTERS if arabic else _LATIN
    return {sound for letter in written for sound in table.get(letter, "")}
