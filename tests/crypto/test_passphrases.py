"""New passphrases: easily guessed ones are refused with the reason; random words are suggested."""

import secrets

import pytest

from fieldsync.crypto import passphrases


@pytest.mark.parametrize(
    ("passphrase", "reason"),
    [
        ("", "short"), ("kurz", "short"), ("   abcdefg   ", "short"), ("عشرة أحر", "short"),
        ("aaaaaaaaaaaa", "repeated"), ("abcabcabcabc", "repeated"), ("11112222 3333", "repeated"), ("نعمنعمنعمنعم", "repeated"),
        ("0933 123 456", "digits"), ("٢٠٢٦-١١-٣٠ ١٤:٥٣", "digits"), ("1990/05/12 77", "digits"),
        ("qwertyuiop1234", "row"), ("poiuytrewq", "row"), ("abcdefghijkl", "row"), ("ضصثقفغعهخح", "row"), ("ابتثجحخدذر", "row"),
        ("password2026!", "common"), ("P@ssw0rd 1234", "common"), ("fieldsync-laptop", "common"), ("كلمة السر ٢٠٢٦", "common"),
        ("محمد علي 1990", "common"), ("سوريا سوريا ١٢", "common"),
        ("correct horse", None), ("خبز وملح وزيتون", None), ("كلمة ثانية", None), ("31415926535897932384626", None), ("x7-Kp2#mQ9z", None),
    ],
)  # fmt: skip
def test_easily_guessed_passphrases_are_refused(passphrase: str, reason: str | None) -> None:
    """Short, repeated, a date, a row of keys, common words; others are accepted."""
    assert passphrases.easy_reason(passphrase) == reason


@pytest.mark.parametrize(("lang", "words", "letters"), [("en", 4, "abdfghijklmnoprstuvz "), ("ar", 5, "بتجدرزسشطعفقكلمناوي "), ("pt", 4, "abdfghijklmnoprstuvz ")])  # fmt: skip
def test_words_are_suggested(lang: str, words: int, letters: str) -> None:
    """In the language's letters, with 64 bits; new ones each time, never too easy."""
    offered = {passphrases.offered_words(lang, secrets.choice) for _ in range(200)}
    assert len(offered) == 200
    for one in offered:
        assert len(one.split()) == words
        assert set(one) <= set(letters)
        assert passphrases.easy_reason(one) is None
