"""A small language for rules in forms: comparisons, arithmetic and a few functions; nothing else.

    text       ::= or                         'words'  12  3.5  field  ${field}
    or         ::= and ("or" and)*
    and        ::= compare ("and" compare)*
    compare    ::= sum [("=" | "!=" | "<" | "<=" | ">" | ">=") sum]
    sum        ::= product (("+" | "-") product)*
    product    ::= unary (("*" | "div" | "mod") unary)*
    unary      ::= "-" unary | "(" or ")" | value | function "(" … ")"

Nothing is known of an empty field: arithmetic with it is empty, an order comparison is false, and
it equals only another empty one (or ''). Dates are text and compare as text; one less another is days,
and days may be added to one. More functions are in schema/expressions/functions.py, those over other records in lookups.py.
"""

import re
from collections.abc import Callable, Mapping
from datetime import date, timedelta

from fieldsync.schema.expressions import arithmetic, choice_words, functions, lookups, step_limit
from fieldsync.schema.expressions.functions import to_number

Doc = Mapping[str, object]
Node = Callable[[Doc, str], object]

MAX_LENGTH = 4000
MAX_TOKENS = 400
MAX_DEPTH = 24
MAX_DIGITS = 30

_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d+)?)|(?P<text>'[^']*'|\"[^\"]*\")|(?P<field>\$\{[a-z][a-z0-9_]*\})"
    r"|(?P<path>[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*)|(?P<word>[A-Za-z][A-Za-z0-9_]*)|(?P<sign>!=|<=|>=|[=<>+*(),-]))"
)
_WORDS = {"and", "or", "div", "mod"}
_COMPARE = {"=", "!=", "<", "<=", ">", ">="}
# How many arguments a function takes; None: one or more.
_FUNCTIONS: dict[str, int | None] = {
    "not": 1,
    "selected": 2,
    "count": 1,
    "today": 0,
    "now": 0,
    "empty": 1,
    "age": 1,
    "if": 3,
    "plus_days": 2,
    "length": 1,
    "total": None,
    "true": 0,
    "false": 0,
}


class ExpressionError(ValueError):
    """A syntax error in an expression: a reason code, and its position."""

    def __init__(self, reason: str, at: int) -> None:
        super().__init__(f"{reason} at {at}")
        self.reason = reason
        self.at = at


class Expression:
    """A compiled expression: the fields it names, the answers it expects of them, its value."""

    def __init__(
        self,
        text: str,
        node: Node,
        names: frozenset[str],
        answers: frozenset[tuple[str, str]],
        asks: tuple[lookups.Lookup, ...] = (),
        patterns: tuple[tuple[str, int], ...] = (),
    ) -> None:
        self.text = text
        self.names = names
        self.asks = asks  # what it asks of other records
        self.patterns = patterns  # of `regex`, as they are written, each with its place
        self.answers = answers  # (field, code) pairs that are compared, to find misspelt codes
        self._node = node

    def evaluate(self, doc: Doc, today: str) -> object:
        """The value for a record's fields on the day `today` (YYYY-MM-DD); None when unknown, or too much work."""
        if not self.asks or step_limit.is_limited():
            return self._node(doc, today)
        with step_limit.limit_steps():
            try:
                return self._node(doc, today)
            except step_limit.TooManySteps:
                return None

    def holds_for(self, doc: Doc, today: str) -> bool:
        """Whether it is true for the record."""
        return is_truthy(self.evaluate(doc, today))


def compile_expression(text: str) -> Expression:
    """The expression of a text; raises ExpressionError."""
    parser = _Parser(text)
    node = parser.parse_whole()
    names, answers = frozenset(parser.names), frozenset(parser.answers)
    return Expression(text, node, names, answers, tuple(parser.asks), tuple(parser.patterns))


def is_truthy(value: object) -> bool:
    """Whether a value counts as true: anything but empty, zero and false."""
    return value not in (None, False, 0, "", [])


def age_in_years(born: object, today: str) -> int | None:
    """Whole years from a date to today; None when it is empty or no date."""
    try:
        start, end = date.fromisoformat(str(born)), date.fromisoformat(today)
    except ValueError:
        return None
    return end.year - start.year - ((end.month, end.day) < (start.month, start.day))


def plus_days(day: object, days: object) -> str | None:
    """Return the date a number of days later; None if either is empty or out of range."""
    step = to_number(days)
    try:
        return None if step is None else str(date.fromisoformat(str(day)) + timedelta(days=step))
    except (ValueError, OverflowError):
        return None


def _is_selected(value: object, code: object) -> bool:
    return code in value if isinstance(value, list | tuple) else value is not None and value == code


def _count_members(value: object) -> int:
    if isinstance(value, list | tuple | dict):
        return len(value)
    return 0 if value in (None, "") else 1


def _sum_known(values: list[object]) -> int | float | None:
    """Return the sum of known values; None without any."""
    known = [found for value in values if (found := to_number(value)) is not None]
    return sum(known) if known else None


class _Parser:
    """Recursive descent over the tokens, making closures."""

    def __init__(self, text: str) -> None:
        if len(text) > MAX_LENGTH:
            raise ExpressionError("too_long", MAX_LENGTH)
        self.names: set[str] = set()
        self.answers: set[tuple[str, str]] = set()
        self.asks: list[lookups.Lookup] = []
        self.patterns: list[tuple[str, int]] = []
        self._tokens = _tokens(text)
        self._next = 0
        self._depth = 0

    def parse_whole(self) -> Node:
        node = self._parse_or()
        if self._peek_token() != ("end", ""):
            raise self._fault("unexpected")
        return node

    def _peek_token(self) -> tuple[str, str]:
        return self._tokens[self._next][:2]

    def _fault(self, reason: str) -> ExpressionError:
        return ExpressionError(reason, self._tokens[self._next][2])

    def _take_token(self, *wanted: str) -> str | None:
        kind, token = self._peek_token()
        if kind in ("sign", "word") and token in wanted:
            self._next += 1
            return token
        return None

    def _need_sign(self, sign: str) -> None:
        if not self._take_token(sign):
            raise self._fault("unexpected")

    def _parse_or(self) -> Node:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._fault("too_deep")
        parts = [self._parse_and()]
        while self._take_token("or"):
            parts.append(self._parse_and())
        self._depth -= 1
        if len(parts) == 1:
            return parts[0]
        return lambda doc, today: any(is_truthy(part(doc, today)) for part in parts)

    def _parse_and(self) -> Node:
        parts = [self._parse_comparison()]
        while self._take_token("and"):
            parts.append(self._parse_comparison())
        if len(parts) == 1:
            return parts[0]
        return lambda doc, today: all(is_truthy(part(doc, today)) for part in parts)

    def _parse_comparison(self) -> Node:
        start = self._next
        left = self._parse_sum()
        middle = self._next
        sign = self._take_token(*_COMPARE)
        if sign is None:
            return left
        right = self._parse_sum()
        self._note_answer(self._tokens[start:middle], self._tokens[middle + 1 : self._next])
        if sign == "=":
            return lambda doc, today: arithmetic.values_equal(left(doc, today), right(doc, today))
        if sign == "!=":
            return lambda doc, today: not arithmetic.values_equal(left(doc, today), right(doc, today))
        return lambda doc, today: arithmetic.in_order(sign, left(doc, today), right(doc, today))

    def _parse_sum(self) -> Node:
        node = self._parse_product()
        while sign := self._take_token("+", "-"):
            node = _arithmetic_node(sign, node, self._parse_product())
        return node

    def _parse_product(self) -> Node:
        node = self._parse_unary()
        while sign := self._take_token("*", "div", "mod"):
            node = _arithmetic_node(sign, node, self._parse_unary())
        return node

    def _parse_unary(self) -> Node:
        if self._take_token("-"):
            self._depth += 1
            if self._depth > MAX_DEPTH:
                raise self._fault("too_deep")
            inner = self._parse_unary()
            self._depth -= 1
            return _arithmetic_node("-", lambda _doc, _today: 0, inner)
        if self._take_token("("):
            node = self._parse_or()
            self._need_sign(")")
            return node
        return self._parse_value()

    def _parse_value(self) -> Node:
        kind, token = self._peek_token()
        if kind == "number":
            if len(token) > MAX_DIGITS:
                raise self._fault("too_long")
            self._next += 1
            constant: object = float(token) if "." in token else int(token)
            return lambda _doc, _today: constant
        if kind == "text":
            self._next += 1
            return lambda _doc, _today: token
        if kind == "word" and self._tokens[self._next + 1][:2] == ("sign", "("):
            return self._parse_call(token)
        if kind == "field" or (kind == "word" and token not in _WORDS):
            self._next += 1
            self.names.add(token)
            return lambda doc, _today: doc.get(token)
        raise self._fault("unexpected")

    def _parse_call(self, name: str) -> Node:
        if self._asks_other_records(name):
            return self._parse_lookup(name)
        if name not in _FUNCTIONS.keys() | functions.FUNCTIONS.keys() | choice_words.FUNCTIONS.keys():
            raise self._fault("unknown_function")
        self._next += 2
        start = self._next
        spans: list[tuple[int, int]] = []
        given: list[Node] = []
        while not self._take_token(")"):
            if given:
                self._need_sign(",")
            begin = self._next
            given.append(self._parse_or())
            spans.append((begin, self._next))
        if not _takes_count(name, len(given)):
            self._next = start
            raise self._fault("arguments")
        if name == "selected":
            self._note_answer(*(self._tokens[begin:end] for begin, end in spans))
        if name == "regex" and spans[1][1] - spans[1][0] == 1 and self._tokens[spans[1][0]][0] == "text":
            self.patterns.append(self._tokens[spans[1][0]][1:])
        if name in choice_words.FUNCTIONS:
            return choice_words.choice_node(name, self._field_named(*spans[0]), given)
        return _function_node(name, given)

    def _field_named(self, begin: int, end: int) -> str:
        """Return the field named by an argument, whose choices are meant."""
        if end - begin != 1 or self._tokens[begin][0] not in ("word", "field"):
            self._next = begin
            raise self._fault("arguments")
        return self._tokens[begin][1]

    def _asks_other_records(self, name: str) -> bool:
        """Distinguish `count(TYPE where …)` from `count(field)`, by its `where` or its dot."""
        after = self._tokens[self._next + 3][1] if self._next + 3 < len(self._tokens) else ""
        path = self._tokens[min(self._next + 2, len(self._tokens) - 1)][0] == "path"
        return name in lookups.FUNCTIONS and (name != "count" or path or after == "where")

    def _parse_lookup(self, name: str) -> Node:
        self._next += 2
        kind, target = self._peek_token()
        if kind != "path" and (name, kind) != ("count", "word"):
            raise self._fault("arguments")
        self._next += 1
        of, _, field = target.partition(".")
        by, where, outer = "", None, (self.names, self.answers, self.asks)
        self.names, self.answers, self.asks = set(), set(), []
        if name == "newest":
            self._need_word("by")
            by = self._peek_token()[1]
            self._next += 1
        begin, argument = self._next, None
        if name in lookups.ARGUED:
            self._need_sign(",")
            self.names, self.answers, inner = outer[0], outer[1], (self.names, self.answers)
            argument = self._parse_or()
            self.names, self.answers = inner
        elif name != "of" and self._take_token("where"):
            where = self._parse_or()
        cost = self._next - begin
        if self.asks:
            raise self._fault("too_deep")
        self._need_sign(")")
        ask = lookups.Lookup(name, of, field, by, frozenset(self.names), frozenset(self.answers), cost, argument)
        self.names, self.answers, self.asks = outer
        self.asks.append(ask)
        return lookups.lookup_node(ask, lambda doc, today: where is None or is_truthy(where(doc, today)))

    def _need_word(self, word: str) -> None:
        if self._peek_token()[0] != "word" or not self._take_token(word):
            raise self._fault("unexpected")

    def _note_answer(self, left: list["_Token"], right: list["_Token"]) -> None:
        for one, other in ((left, right), (right, left)):
            if [token[0] for token in other] != ["text"] or len(one) != 1:
                continue
            if one[0][0] in ("word", "field") and other[0][1]:
                self.answers.add((one[0][1], other[0][1]))


_Token = tuple[str, str, int]


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    at = 0
    end = len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None:
            raise ExpressionError("unexpected", at)
        if len(found) >= MAX_TOKENS:
            raise ExpressionError("too_long", at)
        kind = str(match.lastgroup)
        token = match[kind]
        if kind == "text":
            token = token[1:-1]
        elif kind == "field":
            token = token[2:-1]
        found.append((kind, token, match.start(kind)))
        at = match.end()
    return [*found, ("end", "", end)]


def _arithmetic_node(sign: str, left: Node, right: Node) -> Node:
    return lambda doc, today: arithmetic.apply_operator(sign, left(doc, today), right(doc, today))


def _takes_count(name: str, count: int) -> bool:
    if name in _FUNCTIONS:
        wanted = _FUNCTIONS[name]
        return count > 0 if wanted is None else count == wanted
    least, most = choice_words.FUNCTIONS.get(name) or functions.FUNCTIONS[name][:2]
    return least <= count <= most


def _function_node(name: str, given: list[Node]) -> Node:
    if name in functions.FUNCTIONS:
        called = functions.FUNCTIONS[name][2]
        return lambda doc, today: called([one(doc, today) for one in given])
    own: dict[str, Node] = {
        "not": lambda doc, today: not is_truthy(given[0](doc, today)),
        "selected": lambda doc, today: _is_selected(given[0](doc, today), given[1](doc, today)),
        "count": lambda doc, today: _count_members(given[0](doc, today)),
        "today": lambda _doc, today: today,
        "now": lambda doc, today: (
            doc.get(functions.NOW) or f"{today} 23:59"
        ),  # who does not know the time refuses none of that day
        "empty": lambda doc, today: _count_members(given[0](doc, today)) == 0,
        "age": lambda doc, today: age_in_years(given[0](doc, today), today),
        "if": lambda doc, today: given[1 if is_truthy(given[0](doc, today)) else 2](doc, today),
        "plus_days": lambda doc, today: plus_days(given[0](doc, today), given[1](doc, today)),
        "length": lambda doc, today: len(str(given[0](doc, today) or "")),
        "total": lambda doc, today: _sum_known([one(doc, today) for one in given]),
        "true": lambda _doc, _today: True,
        "false": lambda _doc, _today: False,
    }
    return own[name]
