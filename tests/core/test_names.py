"""Names: equality, search, and hostile queries."""

import sqlite3
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fieldsync.core import names

WORDS = st.text("ابةتحخدرسشعقكلمنهويءأإآئؤى ًّـﻷabcdhlnrsu'-_٣7+\"*:(){}^", max_size=30)
ANYTHING = WORDS | st.text(max_size=20)


class Found:
    """A full-text table as a laptop has it."""

    def __init__(self, *stored: str) -> None:
        self.db = sqlite3.connect(":memory:")
        self.db.execute(f'CREATE VIRTUAL TABLE t USING fts5(terms, tokenize="{names.TOKENIZER}")')
        self._terms = [names.search_terms(text) for text in stored]
        for terms in self._terms:
            self.db.execute("INSERT INTO t VALUES (?)", [" ".join(terms)])

    def by(self, text: str) -> list[int]:
        """Return the numbers, from 0, of the stored texts that a search finds."""
        if not (match := names.match_expression(text)):
            return []
        rows = self.db.execute("SELECT rowid - 1 FROM t WHERE t MATCH ? ORDER BY 1", [match])
        found = [number for (number,) in rows]
        assert found == [number for number, terms in enumerate(self._terms) if _read_through(terms, text)]
        return found


def _read_through(terms: list[str], text: str) -> bool:
    """Say whether a server, which keeps no index, finds these terms too."""
    return all(names.terms_match(terms, alternatives) for alternatives in names.query_terms(text))


@pytest.mark.parametrize(
    ("asked", "stored"),
    [
        ("محمد احمد", "محمد أحمد"),
        ("Mohamed Ahmad", "محمد أحمد"),
        ("Muhammad Ahmed", "مُحَمَّد أحمد"),
        ("محمد", "Mohammed"),
        ("مح", "محمد"),
        ("عبدالرحمن", "عبد الرحمن"),
        ("عبد الرحمن", "عبدالرحمن"),
        ("Abdurrahman", "عبد الرحمن"),
        ("Abd al-Rahman", "عبدالرحمن"),
        ("Abdul Hadi", "عبد الهادي"),
        ("Noureddine", "نور الدين"),
        ("Nour al-Din", "نورالدين"),
        ("نور الدين", "نور احمد الدين"),
        ("نور", "نور الدين"),
        ("فاطمه", "فاطمة الزهراء"),
        ("Fatima", "فاطمة"),
        ("ابو حسن", "أبوحسن"),
        ("حسن", "أبو حسن"),
        ("Abu Hassan", "ابو الحسن"),
        ("الخطيب", "خطيب"),
        ("Khatib", "الخطيب"),
        ("Al-Hassan", "الحسن"),
        ("ash-Sharif", "الشريف"),
        ("محمد علي", "الحاج محمد بن علي"),
        ("الحاج محمد", "محمد علي"),
        ("السيد", "السيد أحمد"),
        ("الشيخ", "الشيخ"),
        ("سنا", "سناء"),
        ("Yahya", "يحيى"),
        ("Aïcha", "عائشة"),
        ("Youssef", "يوسف"),
        ("Osama", "أسامة"),
        ("ﻣﺤﻤﺪ", "محمد"),
        ("مـحـمـد", "محمد"),
        ("علی کریم", "علي كريم"),
        ("0944 123 456", "+963944123456"),
        ("+963 944-123-456", "0944123456"),
        ("٠٩٤٤١٢٣٤٥٦", "0944123456"),
        ("jbl-ak-42", "JBL-AK-42-R4"),
        ("1990-01-05", "ولد 1990-01-05"),
        ("1990", "1990-01-05"),
        ("الحس", "الحسن"),
        ("الحمو", "الحمود"),
        ("الخطيب", "الخطيب"),
        ("الفري", "الفريد"),
        ("اليا", "الياس"),
        ("الجد", "الجد"),
        ("جد", "الجد"),
        ("احمد الحس", "أحمد علي الحسن"),
    ],
)
def test_a_search_forgives_spelling_and_script(asked: str, stored: str):
    """A name is found however its letters, its compounds, its article or its script are written."""
    assert Found("زينب خليل", stored).by(asked) == [1]


@pytest.mark.parametrize(
    ("asked", "stored"),
    [
        ("محمد سمير", "محمد أحمد"),
        ("Ali", "لؤي"),
        ("حسن", "حسين"),
        ("0944 123 457", "+963944123456"),
        ("s_mhmd", "محمد"),
        ("", "محمد"),
        ("!?", "محمد"),
    ],
)
def test_a_search_needs_every_word(asked: str, stored: str):
    """Every word must match, and an internal term cannot be searched for."""
    assert Found(stored).by(asked) == ([0] if asked == "حسن" else [])


@settings(max_examples=200, deadline=None)
@given(ANYTHING)
def test_any_stored_text_is_found_by_itself(text: str):
    """A search for any text is legal and finds it, unless it has no word."""
    assert Found(text).by(text) == ([0] if names.match_expression(text) else [])
    assert bool(names.match_expression(text)) == bool(names.search_terms(text))


@pytest.mark.parametrize(
    "hostile",
    [
        '"',
        '" OR terms:x',
        "a NEAR(b",
        "NOT a",
        "a* AND",
        "-a",
        "^a",
        "{a b}: c",
        "a\0b",
        "') --",
        "*" * 600,
    ],
)
def test_hostile_syntax_is_only_words(hostile: str):
    """Typed text is never read as query syntax."""
    Found("ordinary").by(hostile)
    for alternatives in names.query_terms(hostile):
        for term in alternatives:
            assert term.replace("_", "").replace(" ", "").isalnum()


def test_a_long_query_is_truncated():
    """A pasted page is searched by at most sixteen words."""
    assert len(names.query_terms("كلمة " * 10_000)) == 16


@pytest.mark.parametrize(
    ("written", "token"),
    [
        ("alsad", "alsad"), ("alsadi", "sadi"), ("Alhakim", "hakim"), ("Elhashimi", "hashimi"), ("Albert", "albert"),
        ("الحب", "الحب"), ("الحسن", "حسن"), ("الحسين", "حسين"), ("الياس", "الياس"),
    ],
)  # fmt: skip
def test_an_article_is_dropped_where_enough_is_left(written: str, token: str):
    """Four Latin letters, or three Arabic ones; never from a name that begins like that by nature."""
    assert names.name_tokens(written) == [token]


@given(ANYTHING)
def test_folding_leaves_plain_words(text: str):
    """Folded text is words of letters and digits with single spaces, without marks or hamzas."""
    folded = names.fold_text(text)
    assert all(word.isalnum() for word in folded.split(" ") if word)
    assert folded == " ".join(folded.split())
    assert not set(folded) & set("أإآٱىئؤةء٠١٢٣ـ")


@given(ANYTHING)
def test_terms_of_the_three_kinds_never_mix(text: str):
    """Only skeletons and number tails have an underscore, so no word can pass for one."""
    for term in names.search_terms(text):
        assert term.isalnum() or term[:2] in {"s_", "n_"}
        assert term.removeprefix("s_").removeprefix("n_").isalnum()


@pytest.mark.parametrize(
    ("spellings", "bones"),
    [
        (("محمد", "Mohamed", "Muhammad", "Mohammed"), "mhmd"),
        (("عبد الرحمن", "عبدالرحمن", "Abdurrahman", "Abd al-Rahman", "Abdel Rahman"), "bdrhmn"),
        (("عبد الله", "Abdullah", "Abdallah", "Abdulla"), "bdl"),
        (("علي", "Ali"), "al"),
        (("لؤي", "Loay"), "l"),
        (("صلاح الدين", "Salah al-Din", "Salaheddine", "Salahuddin"), "slhdn"),
        (("ممدوح", "Mamdouh"), "mmd"),
        (("الكسندر", "Alexander"), "lksndr"),
        (("كريستين", "Christine"), "krstn"),
        (("42", "b12"), ""),
    ],
)
def test_a_skeleton_is_the_same_in_both_scripts(spellings: tuple[str, ...], bones: str):
    """Arabic and Latin spellings of one name share one skeleton."""
    assert {names.skeleton(names.name_tokens(spelling)[0]) for spelling in spellings} == {bones}


def test_similar_names_are_not_equal():
    """Search may match هدى and هدي; equality may not, as they are two people."""
    assert names.fold_text("هدى") == names.fold_text("هدي")
    assert not names.equal_values("هدى", "هدي")
    assert not names.equal_values("سنا", "سناء")


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (" محمد  أحمد ", "محمد أحمد"),
        ("٠٩٤٤", "0944"),
        ("۱۲", "12"),
        ("محـــمد", "محمد"),
        ("مح\u200cمد\u202e", "محمد"),
        ("أ", "ا\u0654"),
        ("cafe\u0301", "café"),
        ("a\u00a0\tb", "a b"),
        (1, 1.0),
        (["٣", " x"], ["3", "x"]),
        ({"a": " x"}, {"a": "x"}),
        (None, None),
    ],
)
def test_invisible_differences_are_ignored(a: object, b: object):
    """Spaces, digits' script, tatweel, invisible characters and composition are not a conflict."""
    assert names.equal_values(a, b)
    assert names.equal_values(b, a)


@pytest.mark.parametrize(
    ("a", "b"),
    [(True, 1), (False, 0), (None, ""), ("1", 1), ("a", "A"), ([1], [1, 1]), ({"a": 1}, {"b": 1})],
)
def test_visible_differences_count(a: object, b: object):
    """Types of value and capital letters are real differences."""
    assert not names.equal_values(a, b)


@given(st.text())
def test_plain_normalisation_is_idempotent(text: str):
    """The result is composed text without outer spaces."""
    once = names.strip_invisible(text)
    assert names.strip_invisible(once) == once
    assert once == once.strip()
    assert unicodedata.is_normalized("NFC", once)


@given(st.text("ابةتحخدرسشعقكلمنهويءأإآئؤىabcdhlnrsuABC'-79", min_size=1, max_size=12))
def test_the_fast_path_folds_like_the_general_one(word: str):
    """A word of plain letters is folded without decomposition; one with invisible characters is not."""
    assert names.search_terms(word) == names.search_terms(word + "\u0640") == names.search_terms("\u200f" + word)
