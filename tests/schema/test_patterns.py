"""Patterns of forms: they mean the same as in Python's `re`, and run in linear time."""

import re
import subprocess
import sys
import time
import unicodedata
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fieldsync import errors
from fieldsync.schema import load, patterns
from fieldsync.schema.expressions import parser
from fieldsync.schema.values import value_normaliser
from tests.scale import SCALE
from tests.schema.test_loading import CHOICES, VISIT, broken

SHIPPED = sorted(
    {field.pattern for kind in load.load_texts(load.shipped_texts()).types.values() for field in kind.fields.values()}
    - {""}
)
# as offices write them in XLSForms
IMPORTED = [
    r"[0-9]{10}", r"^[0-9]{8}$", r"\d{3}-\d{4}", r"[A-Z]{2}\d{6}", r"^[^\W\d_]+( [^\W\d_]+)*$", r"^(\+963|0)?9\d{8}$",
    r"^[\u0600-\u06FF\s]+$", r"[a-zA-Z0-9._%+-]+@[a-zA-Z0-9.-]+\.[a-zA-Z]{2,}", r"^(0[1-9]|1[0-2])/\d{4}$", r"\S+",
    r"[^\s]{1,30}", r"(?i)[a-c]{2}|i+", r"(?:\D+)", r".{3,}", r"([01]?\d|2[0-3]):[0-5]\d", r"[\w\s.-]{1,40}", r"[\D\d]*",
    r"[\W_]+", r"(?P<first>x)?y{,2}", r"\w+", r"[^\w]", r"[]a-c]{1,3}", r"[^]\]]+", r"\x41\.\-\/", r"a{2}|b{1,}|{|}", r"[-a\S]",
    r"[\S\d]+?", r"\A\s*\Z", "[ء-ي ]+", "[۰-۹٠-٩]{1,4}", r"\W+", r"[^\S ]+", r"[\N{ARABIC LETTER ALEF}-\N{ARABIC LETTER YEH}]+",
]  # fmt: skip
# Arabic and Persian letters and digits, marks, a tatweel, joiners, Latin, punctuation and every kind of space
SIGNS = (
    "اأإآبتثحدرسعغفقكلمنهويىةءؤئپچژگکی ًٌَُِّْـ٠١٣٩۰۴۹09Aaiİıbcxyzßéſ_-./:'’,@+&|{}[]()^$\\؟،\u200c\u200d\t\n\u00a0\u3000½Ⅷ²"
)
TEXT = st.text(st.sampled_from(SIGNS), max_size=12) | st.text(max_size=6)


@pytest.fixture
def without_re2(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A platform for which there is no RE2."""
    patterns.compile_pattern.cache_clear()
    monkeypatch.setattr(patterns, "re2", None)
    yield
    patterns.compile_pattern.cache_clear()


@pytest.mark.parametrize("pattern", [*SHIPPED, *IMPORTED])
def test_patterns_match_as_in_re(pattern: str) -> None:
    """Over Arabic, Persian and Latin text, and over matching texts."""
    before = re.compile(pattern)
    now = patterns.compile_pattern(pattern)

    @settings(max_examples=30 * SCALE)
    @given(TEXT | st.from_regex(before, fullmatch=True))
    def same(text: str) -> None:
        known = all(unicodedata.category(sign) not in ("Cn", "Cs") for sign in text)
        assert not known or now(text) == (before.fullmatch(text) is not None)

    same()


def _piece() -> st.SearchStrategy[str]:
    one = st.sampled_from(
        ["a", "ب", "٣", ".", r"\d", r"\w", r"\s", r"\D", r"\W", r"\S", r"\u0627", r"\.", "-", r"\x20", "]"]
    )
    inside = st.sampled_from(["a", "b-z", "ا-ي", r"\d", r"\w", r"\s", r"\D", r"\S", "_", r"\-", "^", "[", r"\]", "٠-٩"])
    group = st.builds(
        "[{}{}]".format, st.sampled_from(["", "^"]), st.lists(inside, min_size=1, max_size=4).map("".join)
    )
    return one | group


_PATTERN = st.recursive(
    st.builds("{}{}".format, _piece(), st.sampled_from(["", "", "?", "{2}", "{1,3}", "{,2}", "+?", "*"])),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map("".join),
        st.builds("({}|{})".format, inner, inner),
        st.builds("(?:{})?".format, inner),
    ),
    max_leaves=6,
)


@pytest.mark.filterwarnings("ignore::FutureWarning")  # of `re`, about brackets in brackets
@settings(max_examples=150 * SCALE)
@given(pattern=_PATTERN, text=TEXT)
def test_any_accepted_pattern_matches_as_in_re(pattern: str, text: str) -> None:
    """Random patterns are refused, or match as in `re`."""
    try:
        now = patterns.compile_pattern(pattern)
    except patterns.BadPattern:
        return
    if all(unicodedata.category(sign) != "Cn" for sign in text):
        assert now(text) == (re.fullmatch(pattern, text) is not None)


def test_digit_classes_include_all_scripts() -> None:
    """A negated digit class matches no digit of any script; plain RE2 would match an Arabic three."""
    name = patterns.compile_pattern(r"[^\d]+")
    assert name("محمد")
    assert not name("محمد ٣")
    assert not name("۳")


@pytest.mark.parametrize("pattern", ["(a+)+x", "(a|a)*x", "(a*)*(a*)*x", "(.*a){12}", r"([\w ]+)*;"])
def test_patterns_do_not_backtrack(pattern: str) -> None:
    """Forty letters blocked `re` for ever; twenty thousand take no time."""
    match = patterns.compile_pattern(pattern)
    started = time.monotonic()
    assert not match("a" * 40 + "!")
    assert not match("a" * 20_000 + "!")
    assert time.monotonic() - started < 1


@pytest.mark.parametrize(
    "pattern",
    ["(?=a)b", "(?<!a)b", r"(a)\1", r"\bword\b", "(?>a)", "a++", "(?x) a", "a(?i)b", "(", "[b-a]", "*a", "^*", "a{2}{3}", r"\p{L}", r"\ud800",
     "a{9999}", "(" * 40 + ")" * 40, "a" * 301, "$a", r"[^\Wa]", "(" + r"\w{100}" * 20 + ")"],
)  # fmt: skip
def test_patterns_without_linear_time_are_refused_with_their_line(
    pattern: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """Look-around, references, word boundaries, flags, oversized and invalid patterns."""
    quoted = "'" + pattern + "'"
    assert broken('section = "main"', f"pattern = {quoted}") == [("bad_pattern", 24, "fields.place.pattern")]
    assert patterns.pattern_matcher(pattern) is None
    assert capfd.readouterr() == ("", ""), "RE2 says nothing by itself"


def test_a_pattern_in_a_rule_is_refused_with_its_line() -> None:
    """`regex` in an expression is checked with the form too."""
    faults = broken('relevant = "not(empty(place))"', """relevant = "regex(place, '(?=a)b')" """)
    assert [(code, key) for code, _, key in faults] == [("bad_pattern", "fields.sex.relevant")]
    assert parser.compile_expression("regex(place, '(a+)+x')").evaluate({"place": "a" * 40}, "2026-11-30") is False


def test_a_form_of_an_older_release_still_works() -> None:
    """A pattern accepted by 0.1 and unsupported now is not checked, so that no laptop stops."""
    texts = {"choices.toml": CHOICES, "visit.toml": VISIT.replace('section = "main"', "pattern = '(?=a)b'", 1)}
    with pytest.raises(errors.SchemaFaults):
        load.load_texts(texts)
    place = load.load_texts(texts, published=True).type("visit").field("place")
    assert value_normaliser(place)("anything") == "anything"


@pytest.mark.usefixtures("without_re2")
def test_without_re2_shipped_patterns_run_by_re() -> None:
    """They are unambiguous; ambiguous ones are refused and never run."""
    for pattern in SHIPPED:
        assert patterns.compile_pattern(pattern)("!" * 20_001) is bool(re.fullmatch(pattern, "!" * 20_001))
    for pattern in ("(a+)+x", "(a|a)*x", r"\d+-\d+", "(a?){40}", "((a|b)?c?){30}", "(?=a)b"):
        with pytest.raises(patterns.BadPattern):
            patterns.compile_pattern(pattern)


def test_reading_does_not_import_the_matcher() -> None:
    """Pattern and text checks are imported only to validate a value."""
    code = (
        "import sys; from fieldsync.schema import validate; from fieldsync.schema.model import Field, Type; from fieldsync.replica import queries;"
        "kind = Type('visit', {}, {}, 1, {'note': Field('note', 'text', 'latest', {}, pattern='x')});"
        "validate.derive_fields(kind, {'note': 'x'}, '2026-01-01');"
        "print([one for one in ('re2', 'fieldsync.schema.patterns', 'fieldsync.schema.damaged_text') if one in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
