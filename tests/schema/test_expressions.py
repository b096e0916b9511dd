"""The expression language of forms: its features, and its safety."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldsync.schema.expressions import parser
from fieldsync.schema.expressions.parser import ExpressionError

TODAY = "2026-06-15"
AMAL = {
    "birth_date": "2020-06-16",
    "sex": "f",
    "income": 0,
    "size": 5,
    "groups": ["orphan", "idp"],
    "note": "",
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 + 2 * 3", 7),
        ("(1 + 2) * 3", 9),
        ("-size + 6", 1),
        ("7 div 2", 3.5),
        ("7 mod 2", 1),
        ("size - 1 - 1", 3),
        ("size = 5", True),
        ("size != 5", False),
        ("${size} >= 5", True),
        ("size < 5 or sex = 'f'", True),
        ("size < 5 and sex = 'f'", False),
        ("size = 5 or size = 4 and size = 3", True),
        ('sex = "f"', True),
        ("not(sex = 'm')", True),
        ("selected(groups, 'orphan')", True),
        ("selected(groups, 'older')", False),
        ("selected(sex, 'f')", True),
        ("count(groups)", 2),
        ("count(missing_field)", 0),
        ("empty(note)", True),
        ("empty(income)", False),
        ("note = ''", True),
        ("today()", TODAY),
        ("age(birth_date)", 5),
        ("if(size > 3, 'large', 'small')", "large"),
        ("plus_days('2024-02-28', 2)", "2024-03-01"),
        ("plus_months('2024-01-31', 1)", "2024-02-29"),
        ("plus_months('2024-11-15', 14)", "2026-01-15"),
        ("plus_months('2024-03-31', -1)", "2024-02-29"),
        ("plus_months('2024-03-31', '')", None),
        ("plus_months('x', 1)", None),
        ("plus_months('9999-12-01', 1)", None),
        ("length(sex)", 1),
        ("true() and not(false())", True),
        ("birth_date <= today()", True),
    ],
)
def test_expressions_evaluate_as_expected(text: str, value: object) -> None:
    """Each element of the language."""
    assert parser.compile_expression(text).evaluate(AMAL, TODAY) == value


@pytest.mark.parametrize(
    "text",
    ["nothing < 5", "nothing >= 5", "nothing = 5", "nothing + 1 = 1", "size div 0 > 0"],
)
def test_comparisons_with_an_empty_field_are_false(text: str) -> None:
    """Or with a value computed from one."""
    assert not parser.compile_expression(text).holds_for(AMAL, TODAY)


def test_numeric_codes_compare_with_numbers() -> None:
    """A choice stored as '3' is at least 3, as other programs' forms expect."""
    assert parser.compile_expression("wg >= 3 and wg = 3").holds_for({"wg": "3"}, TODAY)


def test_the_age_changes_on_the_birthday() -> None:
    """On the day itself the year is complete; the day before it is not."""
    rule = parser.compile_expression("age(birth_date)")
    assert rule.evaluate({"birth_date": "2020-06-15"}, TODAY) == 6
    assert rule.evaluate({"birth_date": "2020-06-16"}, TODAY) == 5
    assert rule.evaluate({"birth_date": "spring"}, TODAY) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "unexpected"),
        ("1 +", "unexpected"),
        ("size = = 5", "unexpected"),
        ("(size", "unexpected"),
        ("size)", "unexpected"),
        ("size.real", "unexpected"),
        ("__import__('os')", "unexpected"),
        ("open('x')", "unknown_function"),
        ("count()", "arguments"),
        ("count(a, b)", "arguments"),
        ("'open", "unexpected"),
        ("(" * 100 + "1" + ")" * 100, "too_deep"),
        ("-" * 100 + "1", "too_deep"),
        ("1" + " + 1" * 500, "too_long"),
        ("1" * 5000, "too_long"),
    ],
)
def test_syntax_errors_have_a_position(text: str, reason: str) -> None:
    """An invalid text is refused with reason and position, and never evaluated."""
    with pytest.raises(ExpressionError) as caught:
        parser.compile_expression(text)
    assert caught.value.reason == reason
    assert 0 <= caught.value.at <= len(text)


def test_an_expression_lists_its_fields_and_choices() -> None:
    """The loader checks both against the type."""
    rule = parser.compile_expression("sex = 'f' and selected(groups, 'orphan') and 'x' != ${note} and size > 3")
    assert rule.names == {"sex", "groups", "note", "size"}
    assert rule.answers == {("sex", "f"), ("groups", "orphan"), ("note", "x")}


def test_products_cannot_grow_without_bound() -> None:
    """A hundred multiplications of large numbers give an unknown value."""
    huge = " * ".join(["999999999999999999"] * 100)
    assert parser.compile_expression(huge).evaluate({}, TODAY) is None


@given(st.text(max_size=60))
def test_any_text_compiles_or_raises_expression_error(text: str) -> None:
    """No other outcome."""
    try:
        rule = parser.compile_expression(text)
    except ExpressionError:
        return
    rule.evaluate(AMAL, TODAY)


WORDS = ["size", "sex", "nothing", "1", "2.5", "'f'", "(", ")", "=", "<", "-", "+", "*", "div"]
WORDS += ["mod", "and", "or", "not(", "empty(", "count(", "if(", ",", "age(", "plus_days("]


@given(st.lists(st.sampled_from(WORDS), max_size=25), st.sampled_from([None, "", 7, -1.5, True, []]))
def test_compiled_expressions_never_raise(words: list[str], size: object) -> None:
    """They have a value for every document, of any content."""
    try:
        rule = parser.compile_expression(" ".join(words))
    except ExpressionError:
        return
    rule.evaluate({**AMAL, "size": size}, TODAY)


@given(st.integers(-(10**6), 10**6), st.integers(-(10**6), 10**6))
def test_comparisons_agree_with_arithmetic(a: int, b: int) -> None:
    """The six comparisons of numbers are the mathematical ones."""
    doc = {"a": a, "b": b}
    said = [parser.compile_expression(f"a {sign} b").evaluate(doc, TODAY) for sign in ("<", "<=", "=", "!=", ">=", ">")]
    assert said == [a < b, a <= b, a == b, a != b, a >= b, a > b]


def test_truth_is_anything_but_empty_zero_and_false() -> None:
    """The values for which a rule holds."""
    assert [parser.is_truthy(v) for v in (None, False, 0, "", [], 1, "0", ["a"])] == [False] * 5 + [True] * 3
