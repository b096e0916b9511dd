"""Rosters: household members added together with their household; found in the forms, not built into the program.

A roster is a type that belongs to the one being added and refers to one record of a third type that belongs to it too: a membership
and its person. Both are added in the same save.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from fieldsync.core import record_ids
from fieldsync.replica.changes import Changes, NewRecord
from fieldsync.replica.node import Node
from fieldsync.schema.model import Field, Schema, Type
from fieldsync.ui.forms.answers import FormAnswers

Json = dict[str, Any]


class Roster(NamedTuple):
    """A roster: its linking type (a membership), the member's type (a person), and the reference fields."""

    tie: Type
    being: Type
    to_owner: str  # the tie's field that names the household
    to_being: str  # the tie's field that names the person


def roster_of(schema: Schema, kind: Type) -> Roster | None:
    """Return the roster of a type, if it has one."""
    for tie in schema.types.values():
        refs = [
            field
            for field in tie.fields.values()
            if field.type == "ref" and field.required == "always" and field.merge == "once"
        ]
        if tie.retired or tie.belongs_to is None or len(refs) != 2:
            continue
        owner = tie.fields[tie.belongs_to]
        (other,) = [field for field in refs if field.name != owner.name] or (None,)
        if other is None or owner not in refs or owner.to != (kind.name,) or len(other.to) != 1:
            continue
        being = schema.types.get(other.to[0])
        if being is not None and being.belongs_to is not None and kind.name in being.fields[being.belongs_to].to:
            return Roster(tie, being, owner.name, other.name)
    return None


@dataclass
class RosterMember:
    """One member as filled in: the linking record and the member."""

    tie: FormAnswers
    being: FormAnswers

    def list_text(self) -> str:
        """The text of the list of members."""
        return _member_text(self.being.kind, self.being.doc, self.tie.kind, self.tie.doc, self.being.lang)


def _member_text(being: Type, doc: Mapping[str, Any], tie: Type, tied: Mapping[str, Any], lang: str) -> str:
    name = " ".join(str(being.fields[one].value_words(doc[one], lang)) for one in being.title if doc.get(one))
    told = [
        field.value_words(tied[field.name], lang)
        for field in tie.fields.values()
        # what ties them, and the day on which it ended
        if tied.get(field.name) and (field.type == "choice" or (field.type == "date" and field.required != "always"))
    ]
    return "  ·  ".join(filter(None, [name or "…", *told]))


def present_members(roster: Roster, filling: FormAnswers) -> list[str]:
    """Return the texts of a record's existing members, as of opening its form."""
    lang, around = filling.lang, filling.around
    ties = [tie for tie in around.stored_children(roster.tie.name) if tie.get(roster.to_being)]
    if not ties:
        return [
            _member_text(roster.being, one, roster.tie, {}, lang) for one in around.stored_children(roster.being.name)
        ]
    beings = [around.find_document(tie[roster.to_being]) or {} for tie in ties]
    return [_member_text(roster.being, being, roster.tie, tie, lang) for being, tie in zip(beings, ties, strict=True)]


def member_documents(roster: Roster | None, members: Sequence[RosterMember]) -> dict[str, list[Json]]:
    """Return the members' documents, by type, as far as they are known before they are saved."""
    if roster is None:
        return {}
    ties = [{**member.tie.doc, roster.to_being: str(at)} for at, member in enumerate(members)]
    return {roster.being.name: [member.being.doc for member in members], roster.tie.name: ties}


def new_member(node: Node, roster: Roster, lang: str) -> RosterMember:
    """Return a new member to fill in; its start date defaults to today."""
    member = RosterMember(FormAnswers(node, roster.tie, lang), FormAnswers(node, roster.being, lang))
    for field in tie_fields(roster):
        if field.type == "date":
            member.tie.set_answer(field, node.today())
    return member


def tie_fields(roster: Roster) -> list[Field]:
    """The linking type's fields asked for each member: required ones except the two references."""
    return [
        field
        for field in roster.tie.fields.values()
        if field.required == "always" and field.type not in ("ref", "state") and not field.retired
    ]


def new_records(
    node: Node, kind: Type, changes: Changes, roster: Roster | None, members: Sequence[RosterMember]
) -> list[NewRecord]:
    """Return the records of one save: the owner, its members and the linking records; the head is set in it."""
    if roster is None or not members:
        return [NewRecord(kind.name, changes)]
    owner = node.new_id()
    found = new_members(node, kind, changes, roster, members, owner)
    return [NewRecord(kind.name, changes, owner), *found]


def new_members(
    node: Node,
    kind: Type,
    changes: Changes,
    roster: Roster,
    members: Sequence[RosterMember],
    owner: bytes,
    *,
    headed: Collection[str] = (),
) -> list[NewRecord]:
    """Return an owner's new members and linking records; its `changes` set the head, except in fields `headed` already."""
    named, found = dict(changes.set), []
    for member in members:
        being = node.new_id()
        person, tie = member.being.build_changes(), member.tie.build_changes()
        person.set = {**person.set, str(roster.being.belongs_to): _id_text(owner)}
        tie.set = {**tie.set, roster.to_owner: _id_text(owner), roster.to_being: _id_text(being)}
        found += [NewRecord(roster.being.name, person, being), NewRecord(roster.tie.name, tie)]
        for field in kind.fields.values():  # the relation `head` is what the field `head` names
            heads = field.type == "ref" and roster.being.name in field.to and field.name not in headed
            if heads and field.name in member.tie.doc.values():
                named.setdefault(field.name, _id_text(being))
    changes.set = named
    return found


def _id_text(record: bytes) -> str:
    return record_ids.id_text(record)
