"""Messages: every error and sentence exists in both languages, with the same facts."""

import importlib
import pkgutil
import re
import string
from collections import Counter
from pathlib import Path

import pytest

import fieldsync
from docs import words
from fieldsync import errors
from fieldsync.cli import COMMANDS
from fieldsync.schema import load
from fieldsync.ui import words_en
from fieldsync.ui.terminal import messages

ARABIC, ENGLISH = messages.load_catalogue("ar"), messages.load_catalogue("en")


def _facts(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def _kinds(kind: type[errors.FieldsyncError]) -> list[type[errors.FieldsyncError]]:
    return [kind, *(below for one in kind.__subclasses__() for below in _kinds(one))]


def test_each_key_is_in_one_module_only() -> None:
    """Two sentences under one key: the second would replace the first, and its translation be lost."""
    modules = [
        importlib.import_module(f"{words_en.__name__}.{one.name}") for one in pkgutil.iter_modules(words_en.__path__)
    ]
    known = Counter(key for module in modules for key in module.WORDS)
    assert [key for key, n in known.items() if n > 1] == []


def test_both_languages_have_the_same_keys_and_facts() -> None:
    """Arabic sentences have Arabic letters."""
    assert [key for key in ENGLISH if _facts(ENGLISH[key]) != _facts(ARABIC[key])] == []
    # a sentence without a translation is shown in English: CONTRIBUTING.md tells how words are added
    silent = [key for key, text in ARABIC.items() if not re.search("[\u0621-\u064a]", re.sub(r"\{\w+\}", "", text))]
    assert set(silent) <= {"between_clauses", "between_words", "fleet_more", "in_conflict_n"}


@pytest.mark.parametrize("kind", _kinds(errors.FieldsyncError), ids=lambda kind: kind.code)
@pytest.mark.parametrize("lang", ["en", "ar"])
def test_every_error_has_its_own_sentence(kind: type[errors.FieldsyncError], lang: str) -> None:
    """In one line, with facts or without."""
    message, hint = messages.explain_error(kind(), lang)
    assert kind.code in messages.load_catalogue(lang)
    assert message
    assert "\n" not in message + hint


_KEPT = {
    "en": re.compile(
        r"nothing|none was|not taken|not sent|was not used|\bkept\b|\bsafe\b|\blost\b|left as it is|it waits|the record shows"
    ),
    "ar": re.compile(
        "لم ي.* (شيء|أي صف)|لم تؤخذ|لم تستخدم|لم يرسل|لم يضع|لا يضيع|محفوظ|ترك كما هو|تنتظر|السجل يعرضه|سليم"
    ),
}


@pytest.mark.parametrize("lang", ["en", "ar"])
def test_every_error_has_a_hint_and_states_what_was_kept(lang: str) -> None:
    """A hint names the next step; if something could have been changed, the sentence says that it was not."""
    said = {key: re.sub("[\u064b-\u0652]", "", text) for key, text in messages.load_catalogue(lang).items()}
    kinds = {kind.code: kind for kind in _kinds(errors.FieldsyncError)}
    keys = [key for key in said if key.partition(".")[0].rstrip("!") in kinds and not key.endswith("!")]
    hints = {key: said.get(f"{key}!", said.get(f"{key.partition('.')[0]}!", "")) for key in keys}
    assert len(keys) > 150
    assert [key for key, hint in hints.items() if not hint] == []
    # who asked for what is not there, mistyped, or read a report has changed nothing, and knows
    looked = {code for code, kind in kinds.items() if issubclass(kind, errors.NotFound | errors.Usage)} | {
        "report_fault"
    }
    silent = [
        key for key in keys if key.partition(".")[0] not in looked and not _KEPT[lang].search(said[key] + hints[key])
    ]
    assert silent == []


# what a command is called and how it is written is the same in both languages
_TO_TYPE = re.compile(
    rf"fieldsync (?:{'|'.join(COMMANDS.commands)})\b|--[a-z-]+|FIELDSYNC_[A-Z_]+|\.(?:csv|xlsx|xls|jsonl|sqlite)\b"
)


def test_both_languages_name_the_same_commands() -> None:
    """A command, an option or a kind of file in a hint is in the Arabic one, too."""
    lacking = {
        key: missing
        for key, text in ENGLISH.items()
        if (missing := [part for part in _TO_TYPE.findall(text) if part not in ARABIC[key]])
    }
    assert lacking == {}


def test_subjects_of_errors_are_translated() -> None:
    """Everything that can be too large, of another version, damaged or missing has a word."""
    source = "\n".join(path.read_text(encoding="utf-8") for path in Path(fieldsync.__file__).parent.rglob("*.py"))
    about = set(
        re.findall(r'(?:TooLarge|BadVersion|PeerOutdated|NotFound|StoreDamaged)\((?:what|part)="([a-z_]+)"', source)
    )
    assert len(about) > 10
    assert {one for one in about if f"thing_{one}" not in ENGLISH} == set()
    message, _ = messages.explain_error(errors.TooLarge(what="frame", limit=65_536), "ar")
    assert message == "أكبر من المسموح (دفعة بيانات، الحد الأعلى 65536)؛ لم يتغيّر شيء."


def test_lists_have_the_comma_of_the_language() -> None:
    """Roles that a step requires are named in words, with the commas of their script."""
    refused = errors.RoleRefused(role="caseworker", needs=["supervisor", "admin"])
    assert messages.explain_error(refused, "ar")[1] == "الدور المطلوب: مشرف، مدير النظام."
    assert messages.explain_error(refused, "en")[1] == "Needed role: supervisor, administrator."


@pytest.mark.parametrize(
    ("n", "said"),
    [
        (0, "لا عمليات حفظ"),
        (1, "عملية حفظ واحدة"),
        (2, "عمليتا حفظ"),
        (3, "3 عمليات حفظ"),
        (11, "11 عملية حفظ"),
        (100, "100 عملية حفظ"),
        (103, "103 عمليات حفظ"),
    ],
)
def test_arabic_counts_in_six_forms(n: int, said: str) -> None:
    """Zero, one, two, few, many, other: each number has its form of the noun."""
    assert messages.phrase("would_send", "ar", n=n, server="hq") == f"سيُرسَل إلى hq: {said}."


def test_counts_in_thousands_choose_their_form() -> None:
    """A number with a comma is a number, too; days are in the accusative."""
    assert messages.phrase("exported", "ar", n="1,142", file="a.csv") == "كُتب 1,142 سجلاً في a.csv."
    assert messages.phrase("clock_ahead", "ar", much=messages.phrase("span_days", "ar", n=295)).count("295 يوماً") == 1
    assert messages.phrase("span_days", "ar", n=6) == "6 أيام"


def test_counts_have_all_forms_of_their_language() -> None:
    """A missing form would give a number the wrong one."""
    specs = [spec for text in ARABIC.values() for _, _, spec, _ in string.Formatter().parse(text) if spec]
    assert len(specs) > 30
    assert [spec for spec in specs if spec.count("|") != 5] == []


_ARABIC_LETTER = "[\u0621-\u064a\u064b-\u0652]"
_CLUMSY = {
    "a Latin comma": _ARABIC_LETTER + r",\s",
    "a Latin question mark": _ARABIC_LETTER + r"\?",
    "a terminal": "طرفية|طرفيات",
    "a status called a case": "حالة (?:السجل|الحقل|الحاسوب|النزوح|العمل|الحياة)|الحالة الأولى|غيّر الحالة|بالحالة|الحالات الممكنة",
    "an approval called a consent": "توافق على|الموافقة على (?!مشارك)|موافقتك",
    "a doubled sign": "[\u064b-\u0652]{3}|\u064b\u064b",
}


@pytest.mark.parametrize("kind", _CLUMSY)
def test_arabic_has_one_word_per_term(kind: str) -> None:
    """Signs of the script, and words that docs/glossary.md keeps apart."""
    texts = [str(one.string) for one in words.read(words.file_of("ar")).values()]
    assert len(texts) > 1_000
    assert [text for text in texts if re.search(_CLUMSY[kind], text)] == []


def test_clauses_have_the_separator_of_the_language() -> None:
    """Notes on a record's saves stand in one line, with the semicolon of the script."""
    assert messages.join_clauses(["أ", "ب"], "ar") == "أ؛ ب"
    assert messages.join_clauses(["a", "b"], "en") == "a; b"


def test_every_used_key_exists() -> None:
    """Keys in the source are in the catalogue, and reasons in the code have sentences."""
    source = "\n".join(path.read_text(encoding="utf-8") for path in Path(fieldsync.__file__).parent.rglob("*.py"))
    said = set(re.findall(r'(?:say|phrase|_asked|_phrase|tell)\(\s*"([a-z_]+)"', source))
    assert said - ENGLISH.keys() == set()
    reasons = set(re.findall(r'_illegal\(field, "([a-z_]+)"', source))
    reasons |= set(re.findall(r'IllegalValue\([^)]*reason="([a-z_]+)"', source))
    reasons -= {"system", "not_normal", "kind"}  # a device's own commits, never a person's input
    assert {reason for reason in reasons if f"because.{reason}" not in ENGLISH} == set()
    usage = set(re.findall(r'Usage\(reason="([a-z_]+)"', source))
    assert {reason for reason in usage if f"usage.{reason}" not in ENGLISH} == set()
    files = set(re.findall(r'(?:BadFile\([^)]*reason=|_bad\()"([a-z_]+)"', source)) - {"compiled_schema"}
    assert {reason for reason in files if f"bad_file.{reason}" not in ENGLISH} == set()


def test_errors_use_labels() -> None:
    """With a schema, an error speaks the form's language."""
    schema = load.load_texts(load.shipped_texts())
    error = errors.IllegalValue(type="household", field="housing", reason="not_choice", choices=["owned", "tent"])
    message, _ = messages.explain_error(error, "ar", schema)
    assert "السكن (housing)" in message
    assert "خيمة" in message
    step = errors.IllegalStep(type="household", old="draft", new="merged", allowed=["registered"])
    assert "Registered (registered)" in messages.explain_error(step, "en", schema)[1]


def test_hostile_facts_are_displayed_as_text() -> None:
    """A name on the command line cannot repaint the terminal through an error."""
    message, _ = messages.explain_error(errors.NoRecord(ref="\x1b[2J\u202eabc"), "en")
    assert "\x1b" not in message
    assert "⟨U+202E⟩" in message
