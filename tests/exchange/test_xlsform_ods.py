"""XLSForms in .ods, as LibreOffice saves them; small files that would expand to billions of cells are refused."""

import time
import tomllib
import zipfile
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

import pytest

from fieldsync import errors
from fieldsync.exchange.xlsform import convert

_SPACES = " ".join(
    f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in ("office", "table", "text")
)
_REST = '<table:table-row table:number-rows-repeated="1048000"><table:table-cell table:number-columns-repeated="16384"/></table:table-row>'
Cell = str | int | bool


def cell(value: Cell = "", *, columns: int = 1) -> str:
    """Return a cell's XML."""
    repeated = f' table:number-columns-repeated="{columns}"' if columns > 1 else ""
    if value == "":
        return f"<table:table-cell{repeated}/>"
    if isinstance(value, bool):
        said = f'office:value-type="boolean" office:boolean-value="{str(value).lower()}"'
    elif isinstance(value, int):
        said = f'office:value-type="float" office:value="{value}"'
    else:
        said = 'office:value-type="string"'
    return f"<table:table-cell {said}{repeated}><text:p>{escape(str(value))}</text:p></table:table-cell>"


def row(*cells: str, rows: int = 1) -> str:
    """Return a row's XML."""
    repeated = f' table:number-rows-repeated="{rows}"' if rows > 1 else ""
    return f"<table:table-row{repeated}>{''.join(cells)}</table:table-row>"


def document(path: Path, sheets: dict[str, str], head: str = "") -> Path:
    """Write an .ods file of these sheets' rows."""
    tables = "".join(f"<table:table table:name={quoteattr(name)}>{rows}</table:table>" for name, rows in sheets.items())
    content = (
        f'<?xml version="1.0" encoding="UTF-8"?>{head}<office:document-content {_SPACES}><office:body><office:spreadsheet>'
        f"{tables}</office:spreadsheet></office:body></office:document-content>"
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet", zipfile.ZIP_STORED)
        archive.writestr("content.xml", content)
        archive.writestr("META-INF/manifest.xml", '<?xml version="1.0"?><manifest/>')
    return path


def rows_of(*lines: tuple[Cell, ...]) -> str:
    """Return the XML of a sheet, with the endless empty rest that LibreOffice writes."""
    return "".join(row(*map(cell, line), cell(columns=16000)) for line in lines) + _REST


def test_a_libreoffice_form_is_converted(tmp_path: Path) -> None:
    """Sheets in any order and case, numbers and booleans, empty rows, another sheet: the same form as in .xlsx."""
    survey = rows_of(
        ("type", "name", "label::English (en)", "label::Arabic (ar)", "required", "constraint"),
        ("select_one yn", "sure", "Sure?", "أمتأكد؟", True, ""),
        (),
        ("integer", "n", "How many?", "كم؟", "", ". < 7"),
    )
    choices = rows_of(("list_name", "name", "label"), ("yn", 1, "Yes"), ("yn", 0, "No"))
    made = convert.read_xlsform(
        document(tmp_path / "wells.ods", {"Read me": rows_of(("hello",)), "Choices": choices, "survey": survey})
    )
    fields = tomllib.loads(made.texts["wells.toml"])["fields"]
    assert list(fields["sure"]["choices"]) == ["1", "0"]
    assert (fields["sure"]["required"], fields["sure"]["label"]["ar"]) == ("always", "أمتأكد؟")
    assert (fields["n"]["type"], fields["n"]["max"]) == ("int", 6)


def test_unsupported_parts_of_an_ods_form_have_their_row(tmp_path: Path) -> None:
    """Each is listed with its row number in the spreadsheet program."""
    survey = rows_of(("type", "name", "label"), (), ("text", "who", "Who?"), ("audio", "voice", "Voice"))
    made = convert.read_xlsform(document(tmp_path / "a.ods", {"survey": survey}))
    assert ("survey", 4, "voice", "question", "type audio") in [tuple(note) for note in made.notes]


_HEAD = row(cell("type"), cell("name"))
HOSTILE = {
    "a cell of 15 MB": _HEAD + row(cell("a" * 15_000_000)),
    "a value of 15 MB": _HEAD + f'<table:table-row><table:table-cell office:value="{"1" * 15_000_000}"/></table:table-row>',
    "a row a million times": _HEAD + row(cell("a", columns=1000), rows=1_000_000),
    "a cell in every column": _HEAD + row(cell("a", columns=999_999_999)),
    "a number without end": _HEAD + row(cell("a", columns=10**40)),
    "a cell at the far end": _HEAD + row(cell(columns=16_000), rows=1_000_000) + row(cell(columns=16_000), cell("x")),
    "a cell of billions of spaces": _HEAD + row('<table:table-cell><text:p>a<text:s text:c="900000000"/></text:p></table:table-cell>'),
    "millions of elements": _HEAD + row("<a/>" * 1_500_000),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_expanding_ods_files_are_refused_at_once(tmp_path: Path, name: str) -> None:
    """No cell of them is created, and it takes no time."""
    path = document(tmp_path / "small.ods", {"survey": HOSTILE[name]})
    assert path.stat().st_size < 100_000
    started = time.process_time()
    with pytest.raises(errors.BadFile) as refused:
        convert.read_xlsform(path)
    assert refused.value.facts["reason"] == "workbook_large"
    assert time.process_time() - started < 2


def test_an_invalid_ods_file_is_refused(tmp_path: Path) -> None:
    """Entities, a damaged archive, no sheet or other content: an error without a traceback."""
    hostile = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]>'
    bad = [document(tmp_path / "entities.ods", {"survey": _HEAD}, hostile)]
    for name, content in (("empty.ods", b""), ("text.ods", b"type,name\n"), ("half.ods", bad[0].read_bytes()[:300])):
        (tmp_path / name).write_bytes(content)
        bad.append(tmp_path / name)
    with zipfile.ZipFile(tmp_path / "none.ods", "w") as archive:
        archive.writestr("mimetype", "x")
    with zipfile.ZipFile(tmp_path / "bytes.ods", "w") as archive:
        archive.writestr("content.xml", bytes(range(256)))
    for path in (*bad, tmp_path / "none.ods", tmp_path / "bytes.ods", document(tmp_path / "no.ods", {})):
        with pytest.raises(errors.BadFile):
            convert.read_xlsform(path)
