"""The translations are whole: every sentence that a person may see is in the catalogue, and the program reads that catalogue."""

import gettext
import io
import re

from docs import words as tool


def test_the_catalogue_is_up_to_date() -> None:
    """Whoever changes a sentence runs `make words` and translates it: all are there, none is empty or to be looked at."""
    file = tool.file_of("ar")
    kept = tool.read(file)
    assert sorted(kept) == tool.sentences()
    assert tool.unfinished(list(kept.values())) == []
    assert tool.po(tool.updated("ar", kept)) == file.read_bytes()


def test_the_compiled_catalogue_is_that_of_the_text() -> None:
    """What the program reads is what translators see."""
    file = tool.file_of("ar")
    assert tool.mo("ar", file.read_bytes()) == file.with_suffix(".mo").read_bytes()
    read = gettext.GNUTranslations(io.BytesIO(file.with_suffix(".mo").read_bytes()))
    wrong = [key for key, one in tool.read(file).items() if read.pgettext(*key) != one.string]
    assert wrong == []


def test_a_changed_sentence_is_to_be_looked_at() -> None:
    """The tool keeps the translation of a sentence that changed, marks it, and neither ships it nor calls it finished."""
    (context, text), other = next(iter(tool.read(tool.file_of("ar")).items())), "Something new"
    assert text.string
    made = tool.updated("ar", {(context[0], other): text})
    found = made.get(context[1], context=context[0])
    assert (found.string, found.fuzzy) == (text.string, True)
    assert f"{context[0]}: {context[1]}" in tool.unfinished(made)
    assert str(text.string).encode() not in tool.mo("ar", tool.po(made))


def test_help_keeps_what_is_typed() -> None:
    """A translated help names the same options, types and variables as the English one."""
    typed = re.compile(r"--[a-z-]+|[A-Z_]{3,}|`[^`]+`")
    entries = [(key[1], str(one.string)) for key, one in tool.read(tool.file_of("ar")).items() if key[0] == "help"]
    assert len(entries) > 200
    assert [one for one in entries if set(typed.findall(one[0])) != set(typed.findall(one[1]))] == []
