"""Tables of the agenda and the caseload, or lines where a table would be cut."""

from fieldsync.casework.agenda import AgendaLine
from fieldsync.casework.cases import RISKS, Caseload
from fieldsync.replica.node import Node
from fieldsync.schema.labels import label_in
from fieldsync.ui.views.record_card import INDENT
from fieldsync.ui.views.tables import Tables


def agenda(out: Tables, node: Node, found: list[AgendaLine]) -> None:
    """A line per task, the oldest first; overdue ones with their delay."""
    if not found:
        out.say("agenda_empty")
        return
    rows: list[list[object]] = []
    for one in found:
        label = node.schema.types[one.type].due[one.what].label
        late = out.phrase("days_late", n=one.days) if one.days > 0 else out.phrase("due_today") if one.days == 0 else ""
        rows.append([one.due, late, label_in(label, out.lang, one.what), one.about, one.code, one.worker])
    columns = [out.phrase(f"agenda_{name}") for name in ("due", "late", "what", "about", "code", "worker")]
    if out.tty and len({one.worker for one in found if one.worker}) < 2:
        columns, rows = columns[:-1], [row[:-1] for row in rows]
    if out.fits(columns, rows):
        out.table(columns, rows, whole={0, 1, 4})
    else:
        for row in rows:
            first, second = (row[0], row[1], row[4], row[2]), (row[3], *row[5:])
            out.line("  ".join(out.safe(cell) for cell in first if cell))
            out.line(INDENT + "  ".join(out.safe(cell) for cell in second if cell))
    late_ones = sum(one.days > 0 for one in found)
    out.say("agenda_sum", n=len(found), late=late_ones)


def caseload(out: Tables, node: Node, found: list[Caseload]) -> None:
    """A line for each worker, the most loaded first."""
    if not found:
        out.say("caseload_empty")
        return
    risks = node.schema.types["case"].fields["risk"]
    columns = [out.phrase("caseload_worker"), out.phrase("caseload_open")]
    columns += [risks.value_words(risk, out.lang) for risk in reversed(RISKS)]
    columns += [out.phrase(f"caseload_{name}") for name in ("late", "opened", "closed")]
    rows: list[list[object]] = []
    for one in found:
        by_risk = (one.by_risk.get(risk, 0) for risk in reversed(RISKS))
        rows.append([one.worker or "—", one.open, *by_risk, one.late, one.opened, one.closed])
    out.table_or_lines(columns, rows)
