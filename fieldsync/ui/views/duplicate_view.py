"""Pairs of records for display: the two names, and the evidence for a match."""

from collections.abc import Iterable, Sequence

from fieldsync.replica.node import Node
from fieldsync.review.duplicate_bulk import BulkMerge
from fieldsync.review.duplicate_pairs import ComparedPair, DuplicatePair, SimilarRecord
from fieldsync.review.registered_already import IN_FIELD
from fieldsync.schema.model import Type
from fieldsync.ui.terminal.messages import SafeText
from fieldsync.ui.views.record_card import INDENT
from fieldsync.ui.views.tables import Tables

_MOST = 5
_HOW = ("_spelt", "_like", "_other")
_PARTS = {"given", "father", "grandfather", "family", "mother"}


def reasons(out: Tables, kind: Type | None, codes: Iterable[str]) -> SafeText:
    """Return what speaks for a pair, and what against it, in words."""
    return out.several(_reason(out, kind, code) for code in codes)


def short_reasons(out: Tables, kind: Type | None, codes: Iterable[str]) -> SafeText:
    """Return what speaks for a record that was searched for, fields of one kind of evidence together."""
    fields: dict[str, list[str]] = {}
    others: list[SafeText] = []
    for code in codes:
        how, field = _field_of_reason(kind, code)
        if field:
            fields.setdefault(how, []).append(out.label(kind, field))
        else:
            others.append(_reason(out, kind, code))
    told = [SafeText(out.phrase(f"reasons{how}", fields=out.several(named))) for how, named in fields.items()]
    return out.clauses([*told, *others])


def _reason(out: Tables, kind: Type | None, code: str) -> SafeText:
    how, field = _field_of_reason(kind, code)
    return SafeText(
        out.phrase(f"reason_part{how}", field=out.label(kind, field)) if field else out.phrase(f"reason_{code}")
    )


def _field_of_reason(kind: Type | None, code: str) -> tuple[str, str]:
    """Return how a field speaks for a pair, and the field; nothing where it is not one field that does."""
    if code.startswith(IN_FIELD):
        return "_in", code.removeprefix(IN_FIELD)
    how = next((how for how in _HOW if code.endswith(how)), "")
    part = code.removesuffix(how)
    if part not in _PARTS:
        return "", ""
    field = "family_name" if kind is not None and kind.name == "household" and part == "family" else part
    return how or "_same", field


def percent(score: float) -> str:
    """A score as people read it; without a space, for in an Arabic line the sign would leave its number."""
    return f"{score:.0%}"


def listed(out: Tables, node: Node, found: Sequence[DuplicatePair]) -> None:
    """Each pair in two lines: who with whom and how likely, then why."""
    out.use_node(node)
    if not found:
        out.say("pairs_none")
        return
    for pair in found:
        out.line(f"{percent(pair.score)}  {out.format_reference(pair.a)}  ~  {out.format_reference(pair.b)}")
        out.line(INDENT + reasons(out, node.schema.types.get(pair.type), pair.reasons))
    out.say("pairs_n", n=len(found))


def merged_together(out: Tables, node: Node, told: BulkMerge, *, known: bool = False) -> None:
    """Each pair with its reasons, past decisions on such pairs unless known, and the total."""
    out.use_node(node)
    for pair in told.pairs if not known else ():
        out.line(f"{percent(pair.score)}  {out.format_reference(pair.a)}  ~  {out.format_reference(pair.b)}")
        out.line(INDENT + reasons(out, node.schema.types.get(pair.type), pair.reasons))
    if not known:
        out.say("bulk_past", n=told.past.merged)
        if told.past.reaches > told.score:
            out.say("bulk_reaches", score=percent(told.past.reaches))
    out.say("bulk_would_merge" if told.dry_run else "bulk_merged", n=len(told.pairs))


def draw_pair(out: Tables, node: Node, found: ComparedPair) -> None:
    """Two records side by side, field by field, and why they may be one."""
    out.use_node(node)
    a, b = found.a, found.b
    kind = node.schema.types.get(a.type)
    for one in (a, b):
        out.line(out.heading(kind, one))
    rows: list[list[object]] = []
    for name in dict.fromkeys((*a.fields, *b.fields)):
        mine, its = (out.format_value(kind, name, one.fields.get(name)) for one in (a, b))
        rows.append([out.label(kind, name), mine, its, "" if mine == its else "≠"])
    out.table(["", a.code or a.id[:8], b.code or b.id[:8], ""], rows)
    out.line(f"{percent(found.score)}  {reasons(out, kind, found.reasons)}")
    if found.same:
        out.say("pairs_are_one")
    if found.not_same:
        out.say("pairs_are_two")


def decided(out: Tables, node: Node, found: ComparedPair, said: str) -> None:
    """The decision, in a line."""
    out.use_node(node)
    out.say(said, a=out.format_reference(found.a.id), b=out.format_reference(found.b.id))


def candidates(out: Tables, node: Node, found: Sequence[SimilarRecord]) -> None:
    """The possible duplicates of a new record, with reasons."""
    out.use_node(node)
    out.say("pairs_candidates", n=len(found))
    for one in found[:_MOST]:
        kind = node.schema.types.get(one.type)
        out.line(f"{INDENT}{percent(one.score)}  {out.heading(kind, one)}")
        out.line(INDENT * 2 + reasons(out, kind, one.reasons))


def go_on(out: Tables, node: Node, found: Sequence[SimilarRecord]) -> bool:
    """Show them, and ask whether to save all the same."""
    candidates(out, node, found)
    return out.agrees("pairs_go_on")
