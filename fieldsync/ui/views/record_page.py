"""The page of a family or a case: its card, then a table for each section."""

from collections.abc import Iterator, Sequence

from fieldsync.casework import record_pages, titles
from fieldsync.casework.record_pages import ABOUT, CONFLICTS, MEMBERS, PAGES, PageRecord, PageSection, ShownRecord
from fieldsync.replica.node import Node
from fieldsync.schema.model import Type
from fieldsync.ui.terminal.messages import SafeText
from fieldsync.ui.views.tables import Tables

_Table = tuple[list[str], list[list[object]]]  # heads, and the cells of each row
_MOST = 10  # rows of a section, where not all are asked for; of members all are shown


def draw_page(out: Tables, node: Node, found: ShownRecord, *, whole: bool) -> None:
    """Write the record's card, and below it what belongs to it."""
    out.record(node, found)
    for section in found.sections or ():
        _draw_section(out, node, found, section, whole=whole)


def _draw_section(out: Tables, node: Node, found: ShownRecord, section: PageSection, *, whole: bool) -> None:
    records = section.records
    few = records if whole or section.section in (MEMBERS, CONFLICTS) else records[:_MOST]
    title = out.phrase(f"page_{section.section}", n=len(records))
    out.line(f"── {title} ──")
    draw = {MEMBERS: _member_rows, CONFLICTS: _conflict_rows}.get(section.section)
    if draw is not None:
        heads, cells = draw(out, node, found, few)
    else:
        heads, cells = _section_rows(out, node, found.type, section.section, few)
    rows = [[one.code or one.id[:8], *row, out.marks(one)] for one, row in zip(few, cells, strict=True)]
    out.table_or_lines([out.phrase("column_code"), *heads, ""], rows, whole={0})
    if len(few) < len(records):
        out.say("page_older", n=len(records) - len(few), record=found.code or found.id[:8])


def _member_rows(out: Tables, node: Node, found: ShownRecord, records: Sequence[PageRecord]) -> _Table:
    """Name, birth year, relationship to the head, and leaving date or reason; the head is named if no relationship is."""
    tie = PAGES[found.type].members
    assert tie is not None
    tied, being = node.schema.types.get(tie.type), node.schema.types.get(records[0].type)
    kind = node.schema.types.get(found.type)
    heads = [out.phrase("page_name"), out.phrase("page_born"), out.label(tied, "relation"), out.label(being, "sex")]
    cells: list[list[object]] = []
    for one in records:
        membership = one.membership or {}
        relation = _value(out, tied, "relation", membership.get("relation"))
        headed = [name for name, value in found.fields.items() if value == one.id]
        life = one.fields.get("alive")
        fate = _value(out, being, "alive", life) if life not in (None, "alive") else ""
        cells.append(
            [
                out.title(being, one),
                titles.birth_year(one.fields),
                relation or (out.label(kind, headed[0]) if headed else ""),
                _value(out, being, "sex", one.fields.get("sex")),
                fate or _value(out, tied, tie.until, membership.get(tie.until)),
            ]
        )
    return _without_empty([*heads, out.label(tied, tie.until)], cells)


def _section_rows(out: Tables, node: Node, page: str, section: str, records: Sequence[PageRecord]) -> _Table:
    """The rows of a section, by the layout's columns."""
    layout = next(one for one in PAGES[page].sections if one.name == section)
    called = titles.reference_titles(node, _references(node, layout, records))
    first = node.schema.types.get(records[0].type)
    heads = [
        out.phrase("agenda_about") if column == ABOUT else out.label(first, column.split()[0])
        for column in layout.columns[records[0].type]
    ]
    cells: list[list[object]] = [
        [
            one.about or "" if column == ABOUT else _column(out, node.schema.types.get(one.type), column, one, called)
            for column in layout.columns[one.type]
        ]
        for one in records
    ]
    return _without_empty(heads, cells)


def _conflict_rows(out: Tables, node: Node, _: ShownRecord, records: Sequence[PageRecord]) -> _Table:
    """Records in conflict with their fields."""
    cells: list[list[object]] = []
    for one in records:
        kind = node.schema.types.get(one.type)
        labels = out.several(out.label(kind, name) for name in one.conflicts)
        cells.append([out.type_label(node, one.type), one.about or out.title(kind, one), labels])
    return [out.phrase(f"column_{name}") for name in ("type", "name", "field")], cells


def _without_empty(heads: list[str], cells: list[list[object]]) -> _Table:
    """Remove empty columns."""
    kept = [at for at in range(len(heads)) if any(row[at] for row in cells)]
    return [heads[at] for at in kept], [[row[at] for at in kept] for row in cells]


def _column(out: Tables, kind: Type | None, column: str, one: PageRecord, called: dict[str, str]) -> SafeText:
    words = []
    for name in column.split():
        value = one.fields.get(name)
        if value is not None:
            words.append(out.safe(called[value]) if value in called else _value(out, kind, name, value))
    return SafeText(" ".join(words))


def _value(out: Tables, kind: Type | None, name: str, value: object) -> SafeText:
    return SafeText("") if value is None else out.format_value(kind, name, value)


def _references(node: Node, layout: record_pages.SectionLayout, records: Sequence[PageRecord]) -> Iterator[str]:
    for one in records:
        kind = node.schema.types.get(one.type)
        for name in " ".join(layout.columns[one.type]).split():
            if (
                kind is not None
                and name in kind.fields
                and kind.fields[name].to
                and isinstance(one.fields.get(name), str)
            ):
                yield one.fields[name]
