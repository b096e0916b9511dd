"""Phone numbers to E.164: +, country code, number; national ones belong to a given country."""

import re
from collections.abc import Callable
from functools import lru_cache

from msgspec import Struct


class NumberPlan(Struct, frozen=True):
    """A country's code, the first digits of its mobile numbers and how many digits these have; so of its other numbers."""

    code: str
    mobile: str
    lengths: tuple[int, ...]
    fixed: str
    fixed_lengths: tuple[int, ...]


PLANS = {
    "SY": NumberPlan("963", "9", (9,), "1-5", (8, 9)),
    "SA": NumberPlan("966", "5", (9,), "189", (9, 10)),
    "EG": NumberPlan("20", "1", (10,), "2-9", (8, 9)),
    "LB": NumberPlan("961", "37", (7, 8), "124-689", (7, 8)),
    "JO": NumberPlan("962", "7", (9,), "2-6", (8,)),
    "IQ": NumberPlan("964", "7", (10,), "1-6", (8, 9)),
    "TR": NumberPlan("90", "5", (10,), "2-489", (10,)),
    "YE": NumberPlan("967", "7", (9,), "1-6", (7, 8)),
    "PS": NumberPlan("970", "5", (9,), "2489", (8,)),
}
_TRUNK = re.compile(
    r"(?:\+|00)\s*(\d{1,3})\s*\(0\)|(?:\+|00)\s*(" + "|".join(plan.code for plan in PLANS.values()) + r")[\s./-]*0"
)
_SIGNS = str.maketrans("", "", " -()./")


def international_number(text: str, country: str) -> str | None:
    """Return the E.164 form of a number in a usual notation (0933 …, 00963 …, +963 …), or None.

    A number without a country code is one of `country`. Where the first digit says mobile, the
    length must be that of a mobile number; other numbers are held to E.164's bounds only. The 0 before a national
    number goes where the country's code stands before it: +963 (0) 933 ….
    """
    trunk = _TRUNK.match(text.lstrip())
    if trunk is not None:
        text = f"+{trunk[1] or trunk[2]}{text.lstrip()[trunk.end() :]}"
    digits = text.translate(_SIGNS)
    plan = PLANS.get(country)
    if digits.startswith("+"):
        digits = digits[1:]
    elif digits.startswith("00"):
        digits = digits[2:]
    elif plan is None:
        return None
    elif not (digits.startswith(plan.code) and len(digits) > len(plan.code) + 7):
        digits = plan.code + digits.removeprefix("0")
    number = "+" + digits
    return number if phone_test(country)(number) else None


@lru_cache
def phone_test(country: str) -> Callable[[str], re.Match[str] | None]:
    """The test for an E.164 number, where those of `country` must be possible ones there."""
    plan = PLANS.get(country)
    if plan is None:
        return re.compile(r"\+[1-9]\d{7,14}", re.ASCII).fullmatch
    mobile = f"{plan.code}[{plan.mobile}]"
    longest = "|".join(f"\\d{{{length - 1}}}" for length in plan.lengths)
    return re.compile(rf"\+(?:{mobile}(?:{longest})|(?!{mobile}|0)\d{{8,15}})", re.ASCII).fullmatch


@lru_cache
def _number_pattern(code: str) -> re.Pattern[str]:
    """The numbers that there are in a country."""
    plan = next(plan for plan in PLANS.values() if plan.code == code)
    kinds = [
        f"[{first}](?:" + "|".join(f"\\d{{{length - 1}}}" for length in lengths) + ")"
        for first, lengths in ((plan.mobile, plan.lengths), (plan.fixed, plan.fixed_lengths))
    ]
    return re.compile(rf"\+{code}(?:{'|'.join(kinds)})", re.ASCII)


def is_possible(number: str) -> bool:
    """Return whether an E.164 number can be one of its country's; those of countries that are not known here always can."""
    code = next((plan.code for plan in PLANS.values() if number.startswith(f"+{plan.code}")), None)
    return code is None or _number_pattern(code).fullmatch(number) is not None
