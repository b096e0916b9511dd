"""Six words of a device's key, to compare over a telephone: proquints (arXiv:0901.4016), 16 bits each."""

import hashlib

_WORDS = 6
_CONSONANTS, _VOWELS = "bdfghjklmnprstvz", "aiou"


def key_words(public: bytes) -> str:
    """Return the six words of a device's public key; 96 bits, so that nobody finds another key with the same ones."""
    digest = hashlib.sha256(b"fieldsync key words 1" + public).digest()
    return " ".join(_word_of_bits(int.from_bytes(digest[at : at + 2])) for at in range(0, 2 * _WORDS, 2))


def _word_of_bits(bits: int) -> str:
    return (
        _CONSONANTS[bits >> 12] + _VOWELS[bits >> 10 & 3] + _CONSONANTS[bits >> 6 & 15] + _VOWELS[bits >> 4 & 3]
        + _CONSONANTS[bits & 15]
    )  # fmt: skip


def same_words(given: str, words: str) -> bool:
    """Return whether the given words match, with any separators."""
    return given.casefold().replace("-", " ").split() == words.split()
