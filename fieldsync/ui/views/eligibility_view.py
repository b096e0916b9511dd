"""A person's or family's eligible programmes as a table, with the basis of each answer."""

from fieldsync.casework.eligibility import ENROLMENT, HOUSEHOLD, PERSON, PROGRAMME, Eligibility
from fieldsync.replica.node import Node
from fieldsync.schema.labels import label_in
from fieldsync.schema.model import Field
from fieldsync.ui.terminal.messages import SafeText
from fieldsync.ui.views.tables import Tables


def eligible(out: Tables, node: Node, found: list[Eligibility]) -> None:
    """A line for each programme, those that they fit first."""
    if not found:
        out.say("eligible_none")
        return
    kinds = node.schema.type(PROGRAMME)
    states = node.schema.type(ENROLMENT).fields["state"]
    rows: list[list[object]] = []
    for one in found:
        kind = kinds.fields["kind"].value_words(one.kind, out.lang) if one.kind else ""
        rows.append(
            [one.code, one.name, kind, out.phrase(f"eligible_{one.answer}"), _explanation(out, node, one, states)]
        )
    out.table([out.phrase(f"eligible_{name}") for name in ("code", "name", "kind", "answer", "why")], rows, whole={0})


def _explanation(out: Tables, node: Node, one: Eligibility, states: Field) -> SafeText:
    """Return a short explanation of an answer."""
    parts: list[str] = []
    if one.enrolled:
        parts.append(out.safe(states.value_words(one.enrolled, out.lang)))
    if one.excluded_by:
        parts.append(out.phrase("eligible_excluded", code=out.safe(one.excluded_by)))
    if one.lacks:
        fields = {**node.schema.type(HOUSEHOLD).fields, **node.schema.type(PERSON).fields}
        parts.append(
            out.phrase(
                "eligible_lacks",
                fields=out.several(label_in(fields[name].label, out.lang, name) for name in one.lacks),
            )
        )
    parts += map(out.safe, one.who)
    if one.contributory:
        parts.append(out.phrase("eligible_contributory"))
    return out.clauses(parts)
