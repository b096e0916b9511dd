"""Messages for users in English and Arabic: errors by code with their facts filled in, and command output.

An error says what happened and what was kept; its hint says what to do next. English texts are in the package words_en and in the
commands' own help; other languages are gettext catalogues in fieldsync/locale (`make words` updates them).
"""

import gettext
import importlib
import pkgutil
import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from fieldsync import errors
from fieldsync.core import safetext
from fieldsync.schema import label_placeholders
from fieldsync.schema.labels import label_in
from fieldsync.schema.model import Field, Schema, Type

Catalogue = Mapping[str, str]
EXAMPLE = "Example: "  # how the last paragraph of a command's help begins
HELP = "help"  # the context of what is said about commands
EXAMPLE_WORDS = "example"  # the context of what an example has in quotation marks
METAVAR = "metavar"  # of a placeholder in what is typed, such as FILE
LOCALE = Path(__file__).parents[2] / "locale"
_QUOTED = re.compile(r'"([^"]+)"')
METAVAR_WORD = re.compile(r"\b(?:N|[A-Z]{2,})\b")
_JUDGED = {"rule", "pattern", "out_of_range", "too_short", "too_long", "future"}  # what a form's own limits refuse
_ORDER = re.compile(r"(?:empty\(\w+\) or )?(?P<one>\w+) (?P<how>>=?) (?P<other>\w+)")  # rules that most forms have
_LONGEST = 12  # of a list of choices; more of them help nobody in one line


@cache
def load_catalogue(lang: str) -> Catalogue:
    """Return a language's words by key."""
    if lang != "en":
        said = _translations(lang)
        return {key: said.pgettext(key, text) for key, text in load_catalogue("en").items()}
    package = importlib.import_module("fieldsync.ui.words_en")
    modules = (
        importlib.import_module(f"{package.__name__}.{found.name}") for found in pkgutil.iter_modules(package.__path__)
    )
    return {key: text for module in modules for key, text in module.WORDS.items()}


@cache
def _translations(lang: str) -> gettext.NullTranslations:
    return gettext.translation("fieldsync", LOCALE, [lang], fallback=True)


def split_paragraphs(text: str) -> list[str]:
    """Return the sentences of a command's help, each translated by itself, without examples."""
    parts = (" ".join(part.split()) for part in text.split("\n\n"))
    return [part for part in parts if part and not part.startswith(EXAMPLE)]


def example_words(text: str) -> list[str]:
    """Return what the examples of a command's help have in quotation marks, in English."""
    examples = (" ".join(part.split()) for part in text.split("\n\n") if part.startswith(EXAMPLE))
    return [words for example in examples for words in _QUOTED.findall(example) if words.isascii()]


def translate_help(text: str, lang: str) -> str:
    """Return a command's help in a language."""
    if lang == "en" or not text:
        return text
    said = _translations(lang)

    def example(part: str) -> str:
        words = " ".join(part.removeprefix(EXAMPLE).split())
        return _QUOTED.sub(lambda found: f'"{said.pgettext(EXAMPLE_WORDS, found[1])}"', words)

    told = [
        f"{phrase('help_example', lang)}: {example(part)}"
        if part.startswith(EXAMPLE)
        else said.pgettext(HELP, " ".join(part.split()))
        for part in text.split("\n\n")
    ]
    return "\n\n".join(told)


def translate_metavar(metavar: str, lang: str) -> str:
    """Return a placeholder of a command in a language: words in signs that say that they are none to type; `A`, `B` stay."""
    if lang == "en":
        return metavar
    said = _translations(lang)

    def word(found: re.Match[str]) -> str:
        made = said.pgettext(METAVAR, found[0])
        return found[0] if made == found[0] else f"<{made}>"

    return METAVAR_WORD.sub(word, metavar)


def phrase(key: str, lang: str, **facts: object) -> str:
    """Return the text of a key, with its facts filled in."""
    return _fill_facts(load_catalogue(lang)[key], facts, lang)


def explain_error(error: errors.FieldsyncError, lang: str, schema: Schema | None = None) -> tuple[str, str]:
    """Return an error's message and hint, one line each (the hint may be empty); with a schema fields go by labels."""
    message, hint = _explain_error(error, lang, schema)
    if "which" in error.facts:  # of several that were to be saved together
        message = _fill_facts(load_catalogue(lang)["which"], {"which": error.facts["which"]}, lang) + message
    return message, hint


def _explain_error(error: errors.FieldsyncError, lang: str, schema: Schema | None) -> tuple[str, str]:
    words = load_catalogue(lang)
    facts = label_facts(error.facts, lang, schema)
    if isinstance(error, errors.TooLarge | errors.Outdated | errors.NotFound | errors.StoreDamaged):
        facts |= {name: words.get(f"thing_{facts[name]}", facts[name]) for name in ("what", "part") if name in facts}
    reason = facts.get("reason", "new" if facts.get("old", "") is None else None)
    if isinstance(error, errors.IllegalStep) and reason is None and not facts.get("allowed"):
        reason = "last"
    if isinstance(error, errors.Usage) and reason == "missing":
        facts["given"] = translate_metavar(str(facts.get("given", "")), lang)
    if "{because}" in words.get(error.code, ""):
        facts["because"] = reason_text(facts, lang)
    if isinstance(error, errors.SchemaFaults):
        faults: Any = error.facts.get("faults", ())
        gone = [str(fault["type"]) for fault in faults if fault.get("code") == "removed_type"]
        told = [
            _fault_text(fault, words, lang) for fault in faults if len(gone) == 1 or fault.get("code") != "removed_type"
        ]
        if len(gone) > 1:  # a folder of only some forms: one line in place of one for each of the others
            told.append(_fill_facts(words["form_faults_gone"], {"n": len(gone), "types": gone}, lang))
        hints = [words[f"{error.code}!"], *([words["form_faults_gone!"]] if gone else [])]
        return _fill_facts(words[error.code], facts, lang), "\n".join([*told, *hints])
    for code in (f"{error.code}.{reason}", *(kind.code for kind in type(error).__mro__ if hasattr(kind, "code"))):
        if code in words:
            hint = words.get(code + "!", words.get(error.code + "!", ""))
            return _fill_facts(words[code], facts, lang), _fill_facts(hint, facts, lang)
    return _fill_facts(words["error"], facts | {"code": error.code}, lang), ""


def _fault_text(fault: Mapping[str, object], words: Catalogue, lang: str) -> str:
    """Return a fault of a form with its file and line, and what to do about it."""
    text = words.get(f"form_fault.{fault.get('code')}", words["form_fault"])
    return _fill_facts(f"{{file}}:{{line}}: {text}", dict(fault), lang)


def label_facts(facts: Mapping[str, object], lang: str, schema: Schema | None) -> dict[str, object]:
    """Return facts with labels in place of the names of fields, choices and states, where the schema has them."""
    made = dict(facts) | _role_facts(facts, lang)
    if isinstance(labels := facts.get("labels"), dict):  # of reports
        made["known"] = [_code_label(label_in(label, lang, code), code) for code, label in labels.items()]
    types = schema.types if schema is not None else {}
    kind = types.get(str(facts.get("type")))
    for name in ("types", "to"):
        named = facts.get(name)
        if isinstance(named, list):
            made[name] = [label_in(types[one].label, lang, one) if one in types else one for one in named]
    if isinstance(error_type := facts.get("type"), str) and error_type not in types and types:
        for name in ("known", "near"):
            named = facts.get(name)
            if isinstance(named, list):
                made[name] = [_type_label(types[one], lang) if one in types else one for one in named]
    if (
        facts.get("field") in types and "known" not in facts
    ):  # an argument of a command: of what type the record is to be
        made["field"] = label_in(types[str(facts["field"])].label, lang, str(facts["field"]))
    if "type" in facts:
        made["type_label"] = facts["type"] if kind is None else label_in(kind.label, lang, kind.name)
    if kind is None:
        made |= _argument_facts(facts, lang)
        return made
    spec = kind.fields.get(str(facts.get("field")))
    if spec is not None:
        made["field"] = _field_label(kind, spec, lang)
        if spec.message and facts.get("reason") in _JUDGED:
            made["message"] = label_placeholders.with_field_names(kind, label_in(spec.message, lang), lang)
        elif facts.get("reason") == "rule":
            made |= _rule_facts(kind, spec, str(facts.get("rule", "")), lang)
        elif facts.get("reason") == "pattern" and spec.hint:
            made["form"] = label_in(spec.hint, lang)
        choices = facts.get("choices")
        if isinstance(choices, list):
            made["choices"] = [
                label_in(one.label, lang, one.code) for one in spec.offered_choices if one.code in choices
            ]
    if isinstance(near := facts.get("near"), list):
        made["near"] = [_field_label(kind, kind.fields[one], lang) if one in kind.fields else one for one in near]
    lacking, allowed, state = facts.get("fields"), facts.get("allowed"), kind.fields.get("state")
    if isinstance(lacking, list):
        made["fields"] = [_field_label(kind, kind.fields[name], lang) for name in kind.fields if name in lacking]
    if isinstance(allowed, list) and state is not None:
        made |= {name: state.value_words(facts[name], lang) for name in ("old", "new") if facts.get(name) is not None}
        made["allowed"] = [f"{state.value_words(one, lang)} ({one})" for one in allowed]
    return made


def _argument_facts(facts: Mapping[str, object], lang: str) -> dict[str, object]:
    """Return the label of a command's argument, in place of a field."""
    label = load_catalogue(lang).get(f"argument_{facts.get('field')}")
    return {} if label is None else {"field": label}


def _rule_facts(kind: Type, spec: Field, rule: str, lang: str) -> dict[str, object]:
    """Return a rule in words: the order of two fields, or the form's message; else the rule itself."""
    order = _ORDER.fullmatch(rule)
    if order is not None and order["one"] == spec.name and order["other"] in kind.fields:
        reason = "before" if order["how"] == ">=" else "not_after"
        return {"reason": reason, "other": label_in(kind.fields[order["other"]].label, lang, order["other"])}
    return {"rule": label_in(spec.hint, lang)} if spec.hint else {}


def _role_facts(facts: Mapping[str, object], lang: str) -> dict[str, object]:
    """Return the facts that name roles: the user's, and the required ones."""
    known = load_catalogue(lang)
    made: dict[str, object] = {}
    if "role" in facts:
        made["role"] = [known.get(f"role_{one}", one) for one in str(facts["role"]).split(", ")]
    if facts.get("field") == "role" and isinstance(choices := facts.get("choices"), list):
        made["choices"] = [_code_label(known.get(f"role_{one}"), one) for one in choices]
    asked = facts.get("asked")
    if isinstance(asked, list):
        made["asked"] = [known.get(f"approval_{one}", one) for one in asked]
    if facts.get("reason") == "approval_kind" and isinstance(kinds := facts.get("known"), list):
        made["known"] = [_code_label(known.get(f"approval_{one}"), one) for one in kinds]
    needs = facts.get("needs")
    if isinstance(needs, list):
        made["needs"] = [known.get(f"role_{one}", one) for one in needs]
    return made


def _type_label(kind: Type, lang: str) -> str:
    return _code_label(label_in(kind.label, lang, kind.name), kind.name)


def _code_label(label: str | None, code: str) -> str:
    """Return a label with the code that is typed, or the code alone where it says the same."""
    return code if label is None or label.casefold().replace(" ", "_") == code else f"{label} ({code})"


def _field_label(kind: Type, field: Field, lang: str) -> str:
    label = label_placeholders.with_field_names(kind, label_in(field.label, lang, field.name), lang)
    return f"{label} ({field.name})"


def reason_text(facts: Mapping[str, object], lang: str) -> str:
    """Return why a value is not legal, from the facts of an IllegalValue: the words behind the field's name."""
    if facts.get("message"):  # the form's makers have said it
        return str(facts["message"])
    words = load_catalogue(lang)
    reason = f"because.{facts.get('reason')}"
    if facts.get("type") == "unit":
        reason = f"{reason}.unit" if f"{reason}.unit" in words else reason
    new = words.get(f"{reason}.new") if facts.get("old", "") is None else None
    if facts.get("reason") == "out_of_range" and ("min" in facts) != ("max" in facts):
        reason += ".min" if "min" in facts else ".max"
    elif facts.get("reason") == "pattern" and "form" in facts:
        reason += ".form"
    return _fill_facts(new or words.get(reason, words["because"]), facts, lang)


class SafeText(str):
    """Text that was made safe for the terminal already."""

    __slots__ = ()


class _Facts(dict[str, object]):
    """Facts that were not given are left open, never a second error."""

    def __missing__(self, key: str) -> "_Fact":
        return _Fact("…")


class _Fact(str):
    """A fact in words; in a sentence a count may choose among forms, `{n:one save|# saves}`, # being the number.

    Two forms: one, other. Six, as Arabic has: zero, one, two, few (3 to 10), many (11 to 99), other (100, 101, 102).
    gettext's own plurals allow one count in a sentence, and here many have two.
    """

    __slots__ = ()

    def __format__(self, spec: str) -> str:
        forms = spec.split("|")
        if len(forms) == 1:
            return str(self)
        digits = self.replace(",", "")
        n = int(digits) if digits.isdecimal() else None
        return forms[_plural_form(n, len(forms))].replace("#", str(self))


def _plural_form(n: int | None, forms: int) -> int:
    if n is None:
        return forms - 1
    if forms == 2:
        return int(n != 1)
    if n <= 2:
        return n
    few, many = 3 <= n % 100 <= 10, n % 100 >= 11
    return 3 if few else 4 if many else 5


def list_comma(lang: str) -> str:
    """Return the separator of list items."""
    return load_catalogue(lang)["between_words"]


def join_clauses(parts: Iterable[str], lang: str) -> SafeText:
    """Return safe clauses in one line, with the language's separator."""
    return SafeText(load_catalogue(lang)["between_clauses"].join(parts))


def _fill_facts(text: str, facts: Mapping[str, object], lang: str) -> str:
    return text.format_map(_Facts({name: _Fact(_fact_text(value, lang)) for name, value in facts.items()}))


def _fact_text(value: Any, lang: str) -> str:
    if isinstance(value, SafeText):
        return value
    if isinstance(value, list | tuple):
        return list_comma(lang).join(
            [*(_fact_text(one, lang) for one in value[:_LONGEST]), *["…"] * (len(value) > _LONGEST)]
        )
    return "—" if value is None else safetext.safe_text(str(value))
