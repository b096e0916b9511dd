"""Identity papers as members of a set, KIND:COUNTRY:NUMBER[:EXPIRY], and warnings about them.

A number that fails its country's pattern is a warning with a reason, never an error: papers of war
years hold mistakes, and a family is not sent away for one.
"""

import re
from datetime import date

FORM = "KIND:COUNTRY:NUMBER[:EXPIRY]"
_NUMBER = re.compile(r"[0-9A-Z./-]{2,40}")
_COUNTRY = re.compile(r"[A-Z]{2}")
_CENTURIES = {"2": 1900, "3": 2000}


def split_paper(text: str) -> tuple[str, str, str, str] | None:
    """Return kind, country, number and expiry ("" if none) in stored form; None if malformed."""
    parts = [part.strip() for part in text.split(":")]
    if not 3 <= len(parts) <= 4:
        return None
    kind, country, number = parts[0].lower(), parts[1].upper(), parts[2].replace(" ", "").upper()
    if not _COUNTRY.fullmatch(country) or not _NUMBER.fullmatch(number):
        return None
    return kind, country, number, parts[3] if len(parts) == 4 else ""


def paper_doubt(paper: str, today: str) -> str | None:
    """Why a stored paper should be looked at again, as a reason code; None when nothing is odd."""
    parts = split_paper(paper)
    if parts is None:
        return "not_paper"
    kind, country, number, expires = parts
    if kind in ("national", "iqama"):
        if country == "SY" and not re.fullmatch(r"\d{11}", number):
            return "national_sy_11_digits"
        if country == "SA" and not (re.fullmatch(r"[12]\d{9}", number) and is_luhn_valid(number)):
            return "national_sa_check_digit"
        if country == "EG" and not _is_egyptian_number(number):
            return "national_eg_birth_date"
    return "paper_expired" if expires and expires < today else None


def is_luhn_valid(digits: str) -> bool:
    """Whether the last of the digits is the Luhn check digit of the others."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        figure = int(digit) * (1 + place % 2)
        total += figure - 9 if figure > 9 else figure
    return total % 10 == 0


def _is_egyptian_number(number: str) -> bool:
    """Century, birth date, governorate and serial in 14 digits."""
    if not re.fullmatch(r"[23]\d{13}", number):
        return False
    try:
        date(_CENTURIES[number[0]] + int(number[1:3]), int(number[3:5]), int(number[5:7]))
    except ValueError:
        return False
    return 1 <= int(number[7:9]) <= 35 or number[7:9] == "88"
