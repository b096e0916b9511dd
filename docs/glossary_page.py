"""docs/glossary.ar.md, made from the table of docs/glossary.md: Arabic first, in the order of its alphabet."""

from pathlib import Path

PAGE = Path(__file__).with_name("glossary.md")
_ARTICLE = "ال"
_INTRODUCTION = """\
# المصطلحات

كلمات البرنامج باللغتين. تستعملها الجمل والشروح والتقارير والاستمارات كما هي. تُنشئ هذه الصفحةَ `make docs` من [glossary.md](glossary.md).

| العربية | المعنى | English |
|---|---|---|
"""


def page() -> str:
    """Return docs/glossary.ar.md."""
    rows = [line.strip("| ").split(" | ") for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| ")][1:]
    sentences = [f"| {arabic} | {meaning} | {english} |\n" for english, arabic, _, meaning in sorted(rows, key=_key)]
    return _INTRODUCTION + "".join(sentences)


def _key(row: list[str]) -> str:
    """Return what a row is sorted by: its Arabic term without the article, the forms of alef alike."""
    return row[1].removeprefix(_ARTICLE).translate(str.maketrans("أإآ", "ااا"))
