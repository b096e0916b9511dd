"""Six spoken words of a key: frozen, since two people compare them over a telephone."""

from fieldsync.crypto.key_words import key_words, same_words


def test_the_words_of_a_key_are_frozen() -> None:
    """Two versions of the program must say the same of one key: 96 bits, 16 in each word."""
    words = key_words(bytes(range(32)))
    assert words == "sugit fisul momop gihor nokif zapat"
    assert len(set(words.split())) == 6


def test_words_are_compared_as_they_are_told() -> None:
    """Capitals and separators do not count; order and number do."""
    assert same_words("Babab-DADAD  gagag", "babab dadad gagag")
    assert not same_words("dadad babab gagag", "babab dadad gagag")
    assert not same_words("babab dadad", "babab dadad gagag")
