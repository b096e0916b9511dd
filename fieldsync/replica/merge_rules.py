"""The schema's rules for registers, precomputed: how each field settles, who owns a record, which fields are searched."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import msgspec
from msgspec import Struct

from fieldsync.core import names
from fieldsync.core.commit import Commit
from fieldsync.core.settle import Policy
from fieldsync.core.state import State
from fieldsync.linkage import features
from fieldsync.schema import field_renames, write_roles
from fieldsync.schema.model import Field, Schema, Type
from fieldsync.schema.value_text import Normaliser
from fieldsync.schema.values import received_normaliser

Document = dict[str, Any]


class FieldRule(Struct, frozen=True):
    """A field's kind (plain, set, tally, log) and its policy."""

    kind: str
    policy: Policy


_SYSTEM = {
    "_code": FieldRule("plain", Policy("once")),
    "_unit": FieldRule("plain", Policy("review")),
    "_deleted": FieldRule("plain", Policy("review")),
    "_same_as": FieldRule("plain", Policy("review")),
    "_not_same": FieldRule("set", Policy("set")),
    "_shared": FieldRule("set", Policy("set")),
    "_shares": FieldRule("set", Policy("set")),
}
_UNKNOWN = FieldRule("plain", Policy("review"))
_UNKNOWN_MEMBERS = FieldRule("set", Policy("set"))


class TypeRules:
    """One type's rules; a type of None is unknown to this node's schema."""

    def __init__(self, name: str, type: Type | None) -> None:
        self.name = name
        self.type = type
        self.belongs_to = None if type is None else type.belongs_to
        self.below = type is not None and type.below
        self.above = type is not None and type.above
        self.search = () if type is None else type.search
        self.searched = frozenset(self.search)
        known = {} if type is None else type.fields
        self._dates = frozenset(name for name in self.search if name in known and known[name].type in ("date", "month"))
        self.linked = features.FIELDS.get(name, frozenset[str]())
        self.renamed = {} if type is None else type.renamed
        self.fields = dict(_SYSTEM)
        self.guarded: frozenset[str] = frozenset()  # fields of which not everybody may write every value
        if type is not None:
            self.guarded = write_roles.guarded_fields(type) | ({"state"} if type.lifecycle is not None else set())
            for field in type.fields.values():
                if field.kind != "derived":
                    policy = Policy(field.merge, field.codes, type.lifecycle_of(field.name))
                    self.fields[field.name] = FieldRule(field.kind, policy)

    @cached_property
    def normalisers(self) -> Mapping[str, Normaliser]:
        """The functions that normalise plain fields' values stored by other devices."""
        fields = () if self.type is None else self.type.fields.values()
        return {field.name: received_normaliser(field) for field in fields if field.kind == "plain"}

    def field_rule(self, field: str, *, member: bool = False) -> FieldRule:
        """Return a field's rule; a field of a newer schema is kept, and reviewed when it conflicts."""
        return self.fields.get(field) or (_UNKNOWN_MEMBERS if member else _UNKNOWN)

    def present_name(self, register: str) -> str:
        """Return the name that a register of an older form has now."""
        return field_renames.present_name(self.renamed, register) if self.renamed else register

    def with_present_names(self, commit: Commit) -> Commit:
        """Return a commit of an older form with its fields under their present names: to be looked at, never to be signed."""
        if not self.renamed:
            return commit
        context = tuple((tuple(map(self.present_name, names)), pairs) for names, pairs in commit.context)
        fields = field_renames.rename_fields(self.type, commit.fields) if self.type is not None else commit.fields
        return msgspec.structs.replace(commit, fields=fields, context=context)

    def search_words(self, doc: Document) -> str:
        """Return the full-text words of a document; "" when there is nothing to find it by."""
        return " ".join(term for field in self.search for term in self.words_of(field, doc))

    def words_of(self, field: str, doc: Document) -> list[str]:
        """Return the full-text words of one field that is searched."""
        value = doc.get(field)
        if isinstance(value, list):
            return [term for item in value if isinstance(item, str) for term in names.search_terms(item)]
        if value is None:
            return []
        return names.date_terms(str(value)) if field in self._dates else names.search_terms(str(value))


class Rules:
    """A schema's rules by type."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self._types: dict[str, TypeRules] = {}
        self._older: dict[tuple[str, int], TypeRules] | None = None

    def type_rules(self, type: str) -> TypeRules:
        """Return a type's rules; unknown types are kept by the general ones."""
        found = self._types.get(type)
        if found is None:
            found = self._types[type] = TypeRules(type, self.schema.types.get(type))
        return found

    def rules_of_form(self, type: str, form: int, past: Callable[[], Mapping[tuple[str, int], Type]]) -> TypeRules:
        """Return the rules of a type's older form, of all of them that `past` gives; today's where it is not among them."""
        if self._older is None:
            self._older = {key: TypeRules(key[0], kind) for key, kind in past().items()}
        return self._older.get((type, form)) or self.type_rules(type)

    def upgrade_state(self, state: State) -> State:
        """Return a state with its registers under their present names."""
        renamed = self.type_rules(state.type).renamed
        return field_renames.rename_registers(renamed, state) if renamed else state

    @cached_property
    def has_renames(self) -> bool:
        """Whether any field ever had another name."""
        return any(kind.renamed for kind in self.schema.types.values())

    @cached_property
    def serial_fields(self) -> Mapping[str, Sequence[Field]]:
        """The fields by type whose numbers servers give."""
        of_type = {
            name: [field for field in kind.fields.values() if field.merge == "server" and not field.retired]
            for name, kind in self.schema.types.items()
        }
        return {name: fields for name, fields in of_type.items() if fields}

    @cached_property
    def raised_types(self) -> frozenset[str]:
        """The types whose records are for units above only, themselves or by an owner."""
        types, found = self.schema.types, set[str]()
        while more := {
            name
            for name, kind in types.items()
            if name not in found
            and (kind.above or (kind.belongs_to and not found.isdisjoint(kind.fields[kind.belongs_to].to)))
        }:
            found |= more
        return frozenset(found)

    @cached_property
    def owner_types(self) -> frozenset[str]:
        """The types that other types belong to."""
        refs = [t.fields[t.belongs_to] for t in self.schema.types.values() if t.belongs_to is not None]
        return frozenset(target for field in refs for target in field.to)
