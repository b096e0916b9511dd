"""Languages of forms: those chosen by the authors, with English, or the first one, as the fallback."""

import ast
from pathlib import Path

import pytest

from fieldsync import errors
from fieldsync.schema import load
from fieldsync.schema.labels import label_in
from fieldsync.ui.terminal.messages import explain_error, load_catalogue

WELL = """
version = 1
label = { en = "Well", pt = "Poço" }
plural = { en = "Wells", pt = "Poços" }
title = ["name"]

[states]
found = { en = "Found", pt = "Encontrado", next = ["tested"] }
tested = { en = "Tested", pt = "Testado", next = [] }

[sections]
place = { en = "Place", pt = "Lugar" }

[fields.state]
type = "state"
merge = "furthest"
sensitivity = 1
label = { en = "State", pt = "Estado" }

[fields.name]
type = "text"
merge = "review"
section = "place"
sensitivity = 1
label = { en = "Name", pt = "Nome" }

[fields.water]
type = "choice"
merge = "latest"
sensitivity = 1
label = { en = "Water", pt = "Água" }
choices.good = { en = "Good", pt = "Boa" }
choices.bad = { en = "Bad", pt = "Má" }
"""


def _faults(text: str) -> list[tuple[str, str]]:
    with pytest.raises(errors.SchemaFaults) as found:
        load.load_texts({"well.toml": text})
    return [(fault["code"], fault["key"]) for fault in found.value.facts["faults"]]


def test_forms_may_be_in_english_and_portuguese() -> None:
    """Arabic is not required, and every kind of label has both languages."""
    well = load.load_texts({"well.toml": WELL}).type("well")
    assert well.label == {"en": "Well", "pt": "Poço"}
    assert well.fields["water"].value_words("bad", "pt") == "Má"
    assert well.fields["state"].value_words("found", "pt") == "Encontrado"
    assert label_in(well.sections["place"], "pt") == "Lugar"
    assert label_in(well.plural, "ar", "well") == "Wells"


def test_forms_may_be_in_one_language() -> None:
    """Readers of another language see that one."""
    text = WELL.replace('en = "', 'xx = "')
    for line in ("Poço", "Poços", "Encontrado", "Testado", "Lugar", "Estado", "Nome", "Água", "Boa", "Má"):
        text = text.replace(f', pt = "{line}"', "")
    assert label_in(load.load_texts({"well.toml": text}).type("well").label, "en", "well") == "Well"


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        (', pt = "Nome"', "", ("missing_label", "fields.name.label")),
        ('pt = "Nome"', 'pt = "Nome", ar = "الاسم"', ("other_language", "fields.name.label")),
        (', pt = "Boa"', "", ("missing_label", "fields.water.choices.good")),
        ('pt = "Boa"', 'pt = "Boa", ar = "جيد"', ("unknown_key", "fields.water.choices.good.ar")),
        (', pt = "Testado"', "", ("missing_label", "states.tested")),
        ('label = { en = "Well", pt = "Poço" }', 'label = { en = "Well" }', ("other_language", "fields.name.label")),
    ],
)
def test_a_label_that_lacks_a_language_is_a_fault(old: str, new: str, fault: tuple[str, str]) -> None:
    """All labels of a type must have the languages of its own label."""
    assert fault in _faults(WELL.replace(old, new, 1))


def test_a_third_language_may_be_incomplete() -> None:
    """Earlier forms with some labels in a third language load unchanged."""
    text = WELL.replace(" }", ', ar = "ع" }').replace(', pt = "Nome"', "").replace("next = [], ", "next = [], ")
    well = load.load_texts({"well.toml": text}).type("well")
    assert list(well.label) == ["en", "ar", "pt"]
    assert label_in(well.fields["name"].label, "pt") == "Name"


def test_every_fault_is_worded_in_both_languages() -> None:
    """It names the key, without internal codes."""
    codes = set()
    for file in Path(load.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call) and len(node.args) > 1 and isinstance(node.args[1], ast.Constant):
                called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                if called in {"add_fault", "report"}:
                    codes.add(node.args[1].value)
    assert len(codes) > 30
    english, arabic = load_catalogue("en"), load_catalogue("ar")
    assert sorted(code for code in codes if f"form_fault.{code}" not in english) == []
    assert [code for code in codes if english[f"form_fault.{code}"] == arabic[f"form_fault.{code}"]] == []


def test_a_fault_has_a_position_and_a_correction() -> None:
    """File, line and key."""
    with pytest.raises(errors.SchemaFaults) as found:
        load.load_texts({"well.toml": WELL.replace('type = "text"', 'type = "txt"')})
    told = explain_error(found.value, "en")[1].splitlines()[0]
    assert told.startswith("well.toml:21: fields.name.type cannot be txt. It may be text, note, int")
