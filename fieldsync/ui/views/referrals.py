"""Tables of referrals, with overdue ones marked, and of shared data."""

from fieldsync.casework import titles
from fieldsync.casework.referrals import ListedReferral, SharedData
from fieldsync.core.grants import PARTNER
from fieldsync.replica.node import Node
from fieldsync.ui.views.tables import Tables


def referrals(out: Tables, node: Node, found: list[ListedReferral]) -> None:
    """A line for each referral, the oldest overdue first."""
    if not found:
        out.say("referrals_empty")
        return
    kind = node.schema.type("referral")
    out.use_node(node)
    called = titles.reference_titles(node, (str(one.fields.get("to_org")) for one in found))
    rows: list[list[object]] = []
    for one in found:
        fields = one.fields
        to_org = str(fields.get("to_org") or "—")
        late = out.phrase("referral_late") if one.overdue else ""
        to = out.several(one.shared_with) or (one.unit if node.role == PARTNER else called.get(to_org, to_org))
        rows.append([
            one.code or one.id, one.due or "—", late, out.format_value(kind, "state", fields.get("state")), one.about or "—", to,
        ])  # fmt: skip
    out.table_or_lines(
        [out.phrase(f"referral_{name}") for name in ("code", "due", "late_", "state", "whom", "to")],
        rows,
        whole={0, 1, 2},
    )
    out.say("referrals_sum", n=len(found), late=sum(one.overdue for one in found))


def shared(out: Tables, node: Node, found: list[SharedData]) -> None:
    """A line for each time that something was shared."""
    if not found:
        out.say("shared_nothing")
        return
    consent = node.schema.type("consent")
    rows: list[list[object]] = []
    for one in found:
        under = out.format_value(consent, "state", one.consent_state) if one.consent else out.phrase("shared_override")
        if not one.shared and one.consent_state in ("given", None):
            under = out.phrase("shared_no_more")  # the referral was taken back or declined; else the consent says it
        fields = out.several(_label(out, node, field) for field in one.fields if not field.startswith("organisation."))
        rows.append([one.code or one.referral, one.since, one.unit, fields, under])
    out.table(
        [out.phrase(f"shared_{name}") for name in ("code", "since", "unit", "fields", "consent")], rows, whole={0, 1}
    )


def _label(out: Tables, node: Node, field: str) -> str:
    of, _, name = field.partition(".")
    return str(out.label(node.schema.types.get(of), name))
