"""XLSForm expressions, translated to our expression language (schema/expressions/parser.py); untranslatable ones are refused."""

import re
from collections.abc import Mapping

from fieldsync.exchange.xlsform.calls import rewrite_calls
from fieldsync.exchange.xlsform.model import Place
from fieldsync.exchange.xlsform.tokens import (
    JOINING,
    ExpressionToken,
    FormNames,
    Untranslated,
    quote_text,
    referenced_question,
)

# what other names our functions have there; "" is a function that only wraps its argument
_FUNCTIONS = {
    "count-selected": "count",
    "string-length": "length",
    "format-date": "format_date",
    "format-date-time": "format_date",
    "starts-with": "starts_with",
    "ends-with": "ends_with",
    "selected-at": "selected_at",
    "date": "",
    "date-time": "day_of",
    "decimal-date-time": "day_number",
    "difference-in-months": "months_between",
    "string": "",
    "boolean-from-string": "",
    "normalize-space": "",
    "once": "",
    "ceil": "ceiling",
    "boolean": "",
} | {
    name: name
    for name in (
        *("selected", "not", "if", "true", "false", "today", "now", "coalesce", "regex", "concat"),
        *("int", "round", "number", "min", "max", "abs", "contains", "floor", "ceiling"),
    )
}
_LAST_SAVED = "last-saved#"
_OVER = {"count", "sum"}  # functions that ask the records of a repeat
_ARITHMETIC = {"+", "-", "*", "div", "mod"}
_NUMBERS = {
    "count",
    "length",
    "int",
    "round",
    "number",
    "min",
    "max",
    "abs",
    "day_number",
    "months_between",
    "floor",
    "ceiling",
}


def split_conditions(found: list[ExpressionToken]) -> list[list[ExpressionToken]]:
    """Return the parts that must all hold; the whole, where they are not joined by `and` alone."""
    parts: list[list[ExpressionToken]] = [[]]
    depth = 0
    for token in found:
        depth += {"(": 1, ")": -1}.get(token.text, 0) if token.kind == "sign" else 0
        if depth == 0 and token == ("word", "or"):
            return [found]
        if depth == 0 and token == ("word", "and"):
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def translate_expression(
    found: list[ExpressionToken], names: FormNames, own: str = "", marks: Mapping[str, str] | None = None
) -> str:
    """Return an expression in our language; `.` is the field `own`, bare words are a choice's `marks`. Untranslated."""
    made: list[ExpressionToken] = []
    found = rewrite_calls(found, names, lambda part: translate_expression(part, names, own, marks))
    for at, token in enumerate(found):
        called = at + 1 < len(found) and found[at + 1] == ("sign", "(")
        over = _aggregate_target(found[at - 2 : at + 2], names) if at > 1 else ""
        if over:
            made.append(ExpressionToken("ref", over))
        elif token.text in _OVER and _aggregate_target(found[at : at + 4], names):
            made.append(token)
        elif (
            called
            and token.text == "now"
            and found[max(at - 2, 0) : at] == [ExpressionToken("word", "date"), ExpressionToken("sign", "(")]
        ):
            made.append(ExpressionToken("word", "today"))
        else:
            made.append(_translate_token(token, names, own, marks, called=called))
    _recode_choices(made, names)
    return _join_spaced(made)


def _aggregate_target(part: list[ExpressionToken], names: FormNames) -> str:
    """Return the type, or type.field, of `count(${repeat})` or `sum(${question})`."""
    if len(part) < 4 or part[0].text not in _OVER or (part[1].text, part[3].text) != ("(", ")"):
        return ""
    source = names.repeats.get(referenced_question(part[2]), "")
    if part[0].text == "count" and source:
        return f"{source.partition('.')[0]} where true()"
    return source if "." in source else ""


def _resolve_path(path: str, here: Place) -> Place:
    """Resolve a relative path; an absolute one begins with the form's name."""
    path = path.removeprefix("current()/")
    if path.startswith("/"):
        return tuple(path.split("/")[2:])
    parts = path.split("/")
    up = sum(part == ".." for part in parts)
    return (*here[: max(len(here) - up, 0)], *(part for part in parts if part not in ("..", ".")))


def _translate_token(
    token: ExpressionToken, names: FormNames, own: str, marks: Mapping[str, str] | None, *, called: bool
) -> ExpressionToken:
    kind, text = token
    if kind in ("ref", "path"):
        raw = referenced_question(token)
        if raw.startswith(_LAST_SAVED):
            raise Untranslated("last_saved")
        there = names.paths.get(_resolve_path(text, names.place)) if kind == "path" else None
        if there is None and (raw not in names.fields or (kind == "path" and raw in names.doubled)):
            raise Untranslated("path" if kind == "path" else "unknown", raw)
        return _asked_field(there or names.fields[raw], names)
    if kind == "word" and called and text not in JOINING:
        if text not in _FUNCTIONS:
            raise Untranslated("function", text)
        return ExpressionToken("word", _FUNCTIONS[text])
    if kind == "word" and text in ("TRUE", "FALSE") and marks is None:  # as a workbook writes true and false
        return ExpressionToken("said", f"{text.lower()}()")
    if kind == "word" and text not in JOINING:
        if marks is None or text not in marks:
            raise Untranslated("path", text)
        return ExpressionToken("ref", f"choice_{marks[text]}")
    if kind == "sign" and text == ".":
        if not own:
            raise Untranslated("path", text)
        return _asked_field(own, names)
    if kind == "sign" and text in ("..", "/", "//", "|", "[", "]", "@"):
        raise Untranslated("path", text)
    if kind == "number":
        minus, text = ("-", text[1:]) if text.startswith("-") else ("", text)
        text = text.rstrip(".") if text.endswith(".") else text
        return ExpressionToken("number", minus + (f"0{text}" if text.startswith(".") else text))
    return token


def _asked_field(field: str, names: FormNames) -> ExpressionToken:
    """Return the value of a field; for renamed duplicate choices, the original name."""
    if field in names.raw_marks:
        return ExpressionToken("said", f"mark({field}, {quote_text(names.raw_marks[field])})")
    return ExpressionToken("ref", field)


def _recode_choices(made: list[ExpressionToken], names: FormNames) -> None:
    """Replace choice codes in an expression by our codes, keeping its meaning."""
    swaps: list[tuple[int, int, str]] = []  # comparisons that are said otherwise here: from, to, and how

    def recode_side(field: ExpressionToken, at: int, start: int, end: int, sign: str) -> None:
        if field.kind != "ref" or not 0 <= at < len(made) or made[at].kind not in ("text", "number"):
            return
        codes = names.codes.get(field.text)
        raw = made[at].text[1:-1] if made[at].kind == "text" else _code_of(made[at].text, codes or {})
        alone = bool(raw) and _is_condition(made, start, end)
        if field.text in names.ticks:
            if alone:
                swaps.append((start, end, field.text if sign == "=" else f"not({field.text})"))
        elif codes is not None and raw in codes:
            made[at] = ExpressionToken("text", quote_text(codes[raw]))
            if field.text in names.sets and sign in ("=", "!=") and alone:
                only = f"(selected({field.text}, {quote_text(codes[raw])}) and count({field.text}) = 1)"
                swaps.append((start, end, only if sign == "=" else f"not{only}"))
        elif codes is not None and alone:
            swaps.append((start, end, "true()" if sign == "!=" else "false()"))  # what is no choice is never chosen

    for at, token in enumerate(made):
        if token.text in ("=", "!=") and 0 < at < len(made) - 1:
            recode_side(made[at - 1], at + 1, at - 1, at + 2, token.text)
            recode_side(made[at + 1], at - 1, at - 1, at + 2, token.text)
        if token == ("word", "selected") and at + 4 < len(made):
            recode_side(made[at + 2], at + 4, at, at + 6, "selected")
    for start, end, text in reversed(swaps):
        whole = len(made) == end - start and text.startswith("(")
        made[start:end] = [ExpressionToken("said", text[1:-1] if whole else text)]


def _code_of(number: str, codes: Mapping[str, str]) -> str:
    """Return the code for a number: as written, or the only one with this value."""
    if number in codes:
        return number
    same = [code for code in codes if re.fullmatch(r"-?\d{1,15}(\.\d{1,15})?", code) and float(code) == float(number)]
    return same[0] if len(same) == 1 else number


def _is_condition(made: list[ExpressionToken], start: int, end: int) -> bool:
    """Return whether these pieces are a condition by themselves, nothing on either side being counted or compared with them."""
    before = made[start - 1] if start else ExpressionToken("sign", "(")
    after = made[end] if end < len(made) else ExpressionToken("sign", ")")
    return (before.text in ("(", ",", "and", "or")) and (after.text in (")", ",", "and", "or"))


def _join_spaced(made: list[ExpressionToken]) -> str:
    """The text of an expression, with spaces where a person would write them."""
    text = ""
    before = ExpressionToken("sign", "(")
    for token in made:
        tight = (
            text.endswith("(")
            or token.text in (")", ",")
            or (token.text == "(" and before.kind == "word" and before.text not in JOINING)
        )
        minus = (
            before == ("sign", "-")
            and text.endswith(("(-", ",-", " -"))
            and text[:-1].rstrip()[-1:] in ("", "(", ",", "=", "<", ">")
        )
        if token.text:
            text += token.text if tight or minus or not text else f" {token.text}"
            before = token
    return text


def makes_number(found: list[ExpressionToken]) -> bool:
    """Return whether a calculation gives a number, judged by its outermost parts."""
    depth = 0
    for at, (kind, text) in enumerate(found):
        if kind == "sign" and text in "()":
            depth += 1 if text == "(" else -1
        if depth == 0 and text in _ARITHMETIC and kind in ("sign", "word"):
            return True
        if at == 0 and kind == "word" and (_FUNCTIONS.get(text) in _NUMBERS or text in _OVER):
            return True
    return len(found) == 1 and found[0].kind == "number"


def limits_of(part: list[ExpressionToken]) -> tuple[str, str] | None:
    """Return ("min" or "max", number) for `. >= 5` and its kin with whole numbers; ("past", "") for `. <= today()`."""
    if len(part) == 3 and part[0].text == "." and part[2].kind == "number":
        sign, number = part[1].text, part[2].text
    elif len(part) == 3 and part[2].text == "." and part[0].kind == "number":
        sign, number = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}.get(part[1].text, ""), part[0].text
    elif [token.text for token in part] in (
        [[".", "<=", day, "(", ")"] for day in ("today", "now")]
        + [[day, "(", ")", ">=", "."] for day in ("today", "now")]
    ):
        return "past", ""
    else:
        return None
    if not number.removeprefix("-").isdecimal():
        return None
    step = {">=": ("min", 0), ">": ("min", 1), "<=": ("max", 0), "<": ("max", -1)}.get(sign)
    return None if step is None else (step[0], str(int(number) + step[1]))


def pattern_of(part: list[ExpressionToken]) -> str | None:
    """Return the pattern of `regex(., 'pattern')`; None for anything else."""
    texts = [token.text for token in part]
    if texts[:4] == ["regex", "(", ".", ","] and len(part) == 6 and part[4].kind == "text" and texts[5] == ")":
        return part[4].text[1:-1]
    return None
