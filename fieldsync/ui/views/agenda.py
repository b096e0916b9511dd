"""Tables of the agenda and the caseload."""

from fieldsync.casework.agenda import AgendaLine
from fieldsync.casework.cases import RISKS, Caseload
from fieldsync.replica.node import Node
from fieldsync.schema.labels import label_in
from fieldsync.ui.views.tables import Tables


def agenda(out: Tables, node: Node, found: list[AgendaLine]) -> None:
    """A line for each thing to do, the oldest first; late ones say by how much."""
    if not found:
        out.say("agenda_empty")
        return
    rows: list[list[object]] = []
    for one in found:
        label = node.schema.types[one.type].due[one.what].label
        late = out.phrase("days_late", n=one.days) if one.days > 0 else out.phrase("due_today") if one.days == 0 else ""
        rows.append([one.due, late, label_in(label, out.lang, one.what), one.about, one.code, one.worker])
    out.table(
        [out.phrase(f"agenda_{name}") for name in ("due", "late", "what", "about", "code", "worker")],
        rows,
        whole={0, 1, 4},
    )
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
    out.table(columns, rows)
