"""Record codes: read out over the phone, typed in again, and never mistaken for another record's."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldsync.core import codes

ALPHABET = string.digits + string.ascii_uppercase
UNITS = st.text(ALPHABET, min_size=1, max_size=8)
CODES = st.builds(codes.make_code, UNITS, st.integers(0, 20_000).map(codes.letters_of), st.integers(1, 999_999_999))


def test_the_standards_own_example():
    """ISO 7064 MOD 1271-36 gives "ISO 79" the check characters 3W."""
    assert codes.check_characters("ISO79") == "3W"
    assert codes._adds_up("ISO793W")
    assert not codes._adds_up("ISO793X")


def test_codes_are_frozen():
    """A printed code is made and read the same way for ever."""
    assert codes.make_code("LAT/JBL", "AK", 42) == "JBL-AK-42-R4"
    assert codes.parse_code("JBL-AK-42-R4") == ("JBL", "AK", 42)


@given(UNITS, st.integers(0, 20_000), st.integers(1, 999_999_999))
def test_a_code_is_read_back(unit: str, device: int, number: int):
    """A code gives back its unit, its device's letters and its number."""
    letters = codes.letters_of(device)
    assert codes.parse_code(codes.make_code(f"SY/{unit}", letters, number)) == (unit, letters, number)


@given(CODES)
def test_every_single_wrong_character_is_detected(code: str):
    """A code with any one wrong character is invalid."""
    for at, right in enumerate(code):
        for wrong in ALPHABET + "-":
            if wrong != right:
                assert codes.parse_code(code[:at] + wrong + code[at + 1 :]) is None


@given(CODES)
def test_every_swap_of_neighbours_is_detected(code: str):
    """A code with any two adjacent characters swapped, hyphens included, is invalid."""
    for at in range(len(code) - 1):
        swapped = code[:at] + code[at + 1] + code[at] + code[at + 2 :]
        assert swapped == code or codes.parse_code(swapped) is None


@pytest.mark.parametrize("typed", ["jbl-ak-42-r4", "  JBL-AK-42-R4 ", "JBL-AK-٤٢-R4", "JBL–AK–۴۲–r4"])
def test_informal_typing_is_accepted(typed: str):
    """Lower case, surrounding spaces, Arabic digits and a phone's long hyphens."""
    assert codes.parse_code(typed) == ("JBL", "AK", 42)


@given(st.text())
def test_any_text_is_parsed_without_an_exception(text: str):
    """Any text is a code or None."""
    assert codes.parse_code(text) is None or codes.parse_code(text.strip()) is not None


def test_letters_count_up_without_i_and_o():
    """Device letters are A to Z, then AA on; every device has its own, none with an I or an O."""
    assert [codes.letters_of(n) for n in (0, 7, 8, 23, 24, 599, 600)] == [
        "A", "H", "J", "Z", "AA", "ZZ", "AAA",
    ]  # fmt: skip
    many = [codes.letters_of(n) for n in range(2_000)]
    assert len(set(many)) == len(many)
    assert not set("".join(many)) & set("IO")


def test_a_unit_without_latin_letters_still_gets_codes():
    """A unit named in Arabic alone is X in codes: device letters and number keep them apart."""
    assert codes.parse_code(codes.make_code("اللاذقية/جبلة", "B", 7)) == ("X", "B", 7)


@pytest.mark.parametrize(("letters", "number"), [("AI", 1), ("a", 1), ("", 1), ("A", 0), ("A", 10**9)])
def test_unrepresentable_codes_are_refused(letters: str, number: int):
    """Letters or numbers that a code cannot hold raise at once."""
    with pytest.raises(ValueError, match=r"letters|checked"):
        codes.make_code("LAT/JBL", letters, number)


@given(st.sampled_from(["LAT/JBL", "TZ", "A/B/C9"]), st.integers(0, 5_000), st.integers(1, 999_999_999))
def test_splitting_and_joining_a_code_are_inverse(unit: str, device: int, number: int) -> None:
    """The wire sends a code as its prefix and number; no other text may split."""
    code = codes.make_code(unit, codes.letters_of(device), number)
    prefix_and_number = codes.split_code(code)
    assert prefix_and_number is not None
    assert codes.join_code(*prefix_and_number) == code
    others = [code[:-2] + a + b for a in "0Z" for b in "019AZ" if code[-2:] != a + b]
    assert all(codes.split_code(other) is None for other in others)
