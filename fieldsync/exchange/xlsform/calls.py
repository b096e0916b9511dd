"""Function calls in XLSForm expressions with an argument syntax of their own: a choice's label, a repeat's records, a list."""

import re
from collections.abc import Callable, Sequence

from fieldsync.exchange.xlsform.tokens import ExpressionToken, FormNames, Untranslated, quote_text, referenced_question

_ASKED = re.compile(r"""['"]\s*\$\{\s*([^}]*?)\s*\}\s*['"]""")
_OF_A_LIST = ["/", "root", "/", "item", "["]
_OWN_PLACE = ["position", "(", "..", ")"]

Tokens = list[ExpressionToken]
Translate = Callable[[Tokens], str]


def rewrite_calls(found: Tokens, names: FormNames, translate: Translate) -> Tokens:
    """Return an expression with these calls in our words, each as one piece. Untranslated."""
    made: Tokens = []
    at = 0
    while at < len(found):
        handler = _HANDLERS.get(found[at].text) if found[at].kind == "word" else None
        if handler is None or found[at + 1 : at + 2] != [ExpressionToken("sign", "(")]:
            made.append(found[at])
            at += 1
            continue
        given, end = _arguments(found, at + 1)
        text, at = handler(given, found, end, names, translate)
        made.append(ExpressionToken("said", text))
    return made


def _arguments(found: Tokens, start: int) -> tuple[list[Tokens], int]:
    """Return the arguments of a call whose bracket opens at `start`, and where it ends."""
    given: list[Tokens] = [[]]
    depth = 0
    for at in range(start, len(found)):
        kind, text = found[at]
        depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(text, 0) if kind == "sign" else 0
        if depth == 0:
            return given, at + 1
        if depth == 1 and (kind, text) == ("sign", ","):
            given.append([])
        elif at > start:
            given[-1].append(found[at])
    raise Untranslated("unreadable")


def _choice_name(
    given: list[Tokens], _found: Tokens, end: int, names: FormNames, translate: Translate
) -> tuple[str, int]:
    """Translate `jr:choice-name(code, '${question}')`, the choice's label."""
    asked = _ASKED.fullmatch(given[1][0].text) if len(given) == 2 and len(given[1]) == 1 else None
    field = names.fields.get(asked[1], "") if asked is not None else ""
    if field not in names.codes:
        raise Untranslated("function", "jr:choice-name")
    if _is_question(given[0], field, names):
        return f"label({field})", end
    return f"label({field}, {translate(given[0])})", end


def _indexed_repeat(
    given: list[Tokens], _found: Tokens, end: int, names: FormNames, translate: Translate
) -> tuple[str, int]:
    """`indexed-repeat(${question}, ${repeat}, number)`: the answer in one record of a repeat; in this one its own."""
    raw = referenced_question(given[0][0]) if len(given) == 3 and len(given[0]) == 1 else ""
    source = names.repeats.get(raw, "")
    if raw in names.fields and [token.text for token in given[2]] == _OWN_PLACE:
        return names.fields[raw], end
    if "." not in source:
        raise Untranslated("unknown", raw) if raw else Untranslated("function", "indexed-repeat")
    return f"nth({source}, {translate(given[2])})", end


def _join(given: list[Tokens], _found: Tokens, end: int, names: FormNames, translate: Translate) -> tuple[str, int]:
    """`join(' ', ${question})`: what all records of a repeat answered."""
    raw = referenced_question(given[1][0]) if len(given) == 2 and len(given[1]) == 1 else ""
    source = names.repeats.get(raw, "")
    if "." in source:
        return f"join({source}, {translate(given[0])})", end
    if len(given) != 2:
        raise Untranslated("function", "join")
    return translate(given[1]), end


def _instance(given: list[Tokens], found: Tokens, end: int, names: FormNames, translate: Translate) -> tuple[str, int]:
    """Translate `instance('list')/root/item[name = code]/column`, a column of a choice in the form's list."""
    name = given[0][0].text[1:-1] if len(given[0]) == 1 and given[0][0].kind == "text" else ""
    field = names.lists.get(name, "")
    path, inner = [token.text for token in found[end : end + len(_OF_A_LIST)]], end + len(_OF_A_LIST)
    if not field or path != _OF_A_LIST:
        raise Untranslated("function", "instance")
    condition, after = _arguments(found, inner - 1)
    code, column = _other_side(condition), found[after + 1].text if after + 1 < len(found) else ""
    if found[after : after + 1] != [ExpressionToken("sign", "/")] or not code:
        raise Untranslated("function", "instance")
    if column == "name":
        return translate(code), after + 2
    said = "" if _is_question(code, field, names) else f", {translate(code)}"
    if column == "label":
        return f"label({field}{said})", after + 2
    if column not in names.marks.get(field, {}):
        raise Untranslated("path", column)
    return f"mark({field}, {quote_text(names.marks[field][column])}{said})", after + 2


def _is_question(part: Tokens, field: str, names: FormNames) -> bool:
    """Return whether a part of an expression is a question, and nothing else."""
    return len(part) == 1 and names.fields.get(referenced_question(part[0])) == field


def _other_side(condition: Sequence[Tokens]) -> Tokens:
    """Return what `name` is to be equal to."""
    name, equals = ExpressionToken("word", "name"), ExpressionToken("sign", "=")
    part = condition[0] if len(condition) == 1 else []
    if part[:2] == [name, equals]:
        return part[2:]
    return part[:-2] if part[-2:] == [equals, name] else []


_Handler = Callable[[list[Tokens], Tokens, int, FormNames, Translate], tuple[str, int]]
_HANDLERS: dict[str, _Handler] = {
    "jr:choice-name": _choice_name,
    "indexed-repeat": _indexed_repeat,
    "join": _join,
    "instance": _instance,
}
