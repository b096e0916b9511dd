"""Structs of a record type: fields, choices, lifecycle. Immutable, and quick to load compiled.

Types and fields are compared by identity, so that objects made from them (checkers, rules) can be
kept per object; two schemas are the same when their `version` is.
"""

import hashlib
import re
from functools import lru_cache

import msgspec

from fieldsync import errors
from fieldsync.core.lifecycle import APPROVAL, Lifecycle, linear_lifecycle
from fieldsync.core.settle import Policy
from fieldsync.schema.labels import label_in

Label = dict[str, str]  # language → words: {"en": …, "ar": …}

MERGES = (
    "once",
    "latest",
    "review",
    "greatest",
    "least",
    "furthest",
    "set",
    "tally",
    "log",
    "derived",
    "server",
)
TYPES = (
    "text",  # one line
    "note",  # text with line breaks
    "int",
    "number",
    "money",  # not negative, two decimals; its currency is a field of its own
    "bool",
    "date",  # YYYY-MM-DD
    "month",  # YYYY-MM
    "phone",  # E.164
    "choice",
    "ref",  # the id of a record; with `or_text` also words, where no record is known
    "paper",  # an identity paper: KIND:COUNTRY:NUMBER[:EXPIRY]
    "geopoint",  # "LAT LON [ALTITUDE [ACCURACY]]", degrees and metres
    "approval",  # requested, approved or rejected
    "state",  # the type's lifecycle
)
KINDS = {"set": "set", "tally": "tally", "log": "log", "derived": "derived"}
# What every record carries beside its own fields.
SYSTEM = {"_deleted": "review", "_unit": "review", "_same_as": "review", "_not_same": "set", "_shared": "set"}
DICTIONARY_LIMIT = 16 * 1024


class Choice(msgspec.Struct, frozen=True, omit_defaults=True):
    """One choice of a field: the stored code and the label; `retired`: no longer offered.

    `marks` are what the field's `filter` knows it by: {"district": "jbl"}.
    """

    code: str
    label: Label
    retired: bool = False
    marks: dict[str, str] = {}


class Field(msgspec.Struct, frozen=True, eq=False, omit_defaults=True):
    """One field of a type: its values, visibility and merge policy.

    `type` is that of one value: a set of choices has type "choice" and merge "set". `when`,
    `relevant`, `rule`, `warn` and `formula` are expressions (schema/expressions/parser.py); "" means none.
    `default` is one, too. `min` and `max` bound a number or a date; for text they are lengths in characters.
    `by` says who may write a value: {"closed": roles}, {"closed>registered": roles} for one step
    only, {"": roles} for any value. `forks` are pairs that a `furthest` choice may not settle alone.
    """

    name: str
    type: str
    merge: str
    label: Label
    required: str = "optional"  # "always", "optional" or "when"
    when: str = ""
    relevant: str = ""
    rule: str = ""
    warn: str = ""
    formula: str = ""
    filter: str = ""  # which choices are offered: holds of the record, and of a choice's marks as choice_NAME
    sensitivity: int = 1
    hint: Label = {}
    section: str = ""
    choices: tuple[Choice, ...] = ()
    to: tuple[str, ...] = ()
    or_text: bool = False
    over: tuple[str, ...] = ()  # of a note: it is a rule over the fields of these types
    by: dict[str, tuple[str, ...]] = {}
    forks: tuple[tuple[str, str], ...] = ()
    min: int | float | str | None = None
    max: int | float | str | None = None
    pattern: str = ""
    year: str = ""  # of a server's numbers: the date field whose year they run through
    past: bool = False  # a date that may not lie in the future
    country: str = "SY"  # whose numbers a phone without +… is one of
    hxl: str = ""  # its hashtag in exports for other organisations
    retired: bool = False  # no more asked for or filled in; what was written stays readable
    default: str = ""  # what a new record's form is opened with; an expression
    aliases: tuple[str, ...] = ()  # other words that people name it by, in any language
    message: Label = {}  # what is said of a value that its rule, pattern or limits refuse

    @property
    def kind(self) -> str:
        """The layout of its registers: "plain", "set", "tally", "log", or "derived" (none)."""
        return KINDS.get(self.merge, "plain")

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes of its choices, in the schema's order."""
        return tuple(choice.code for choice in self.choices)

    @property
    def offered_choices(self) -> tuple[Choice, ...]:
        """The choices that may still be given."""
        return tuple(choice for choice in self.choices if not choice.retired)

    def value_words(self, value: object, lang: str) -> str:
        """The value as people read it: a choice's label in `lang`, anything else as it is."""
        for choice in self.choices:
            if choice.code == value:
                return label_in(choice.label, lang, choice.code)
        return str(value)


class DueRule(msgspec.Struct, frozen=True, eq=False, omit_defaults=True):
    """A due rule: a task about a record of this type, and its due date.

    `on` is the day as an expression, `when` says whether it is still to be done. `who` is the field that names whose it is,
    or one of a record that a field names: `case.worker`. `by` are roles: it waits for one of them, whoever they are.
    """

    label: Label
    on: str
    when: str
    who: str = ""
    by: tuple[str, ...] = ()


class OverlapRule(msgspec.Struct, frozen=True, eq=False, omit_defaults=True):
    """An overlap rule: two records of this type in one household with equal fields in `same`.

    `against` names a ref field and a set of refs of the record that it names: `programme.exclusive_with`; two whose targets
    name each other there are doubles too. `unless` is an expression: a record for which it holds is none.
    """

    label: Label
    same: tuple[str, ...] = ()
    against: str = ""
    unless: str = ""


class FormNote(msgspec.Struct, frozen=True, eq=False, omit_defaults=True):
    """A note in a form: before the question `before`, or at the end; shown while `relevant` holds."""

    label: Label
    before: str = ""
    section: str = ""
    relevant: str = ""


class Type(msgspec.Struct, frozen=True, eq=False, omit_defaults=True):
    """A record type. `belongs_to` names the ref field whose target owns the record (None: a root).

    Records of a type that is `below` go to everybody at or below their unit, not above it only.
    `aliases` are other words that people name the type by, in any language.
    Those of a type that is `above` go only to those above the unit of the record that they belong to.
    `title` are the fields that name a record in a list, `search` those found by words, `renamed`
    old field names and what they are called now.
    """

    name: str
    label: Label
    plural: Label
    version: int
    fields: dict[str, Field]
    belongs_to: str | None = None
    below: bool = False
    above: bool = False
    lifecycle: Lifecycle | None = None
    title: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    sections: dict[str, Label] = {}
    renamed: dict[str, str] = {}
    due: dict[str, DueRule] = {}
    doubles: dict[str, OverlapRule] = {}
    retired: bool = False  # no new records of it; those there are stay
    aliases: tuple[str, ...] = ()
    notes: dict[str, FormNote] = {}

    def field(self, name: str) -> Field:
        """The field of that name; raises UnknownField."""
        try:
            return self.fields[name]
        except KeyError:
            raise errors.UnknownField(type=self.name, field=name, known=list(self.fields)) from None

    def derived_words(self, field: Field, value: str, lang: str) -> str:
        """A derived text as people read it: the codes of choices that its formula names are replaced by their labels."""
        named = (self.fields[name] for name in _WORD.findall(field.formula) if name in self.fields)
        labels = {choice.code: label_in(choice.label, lang, choice.code) for one in named for choice in one.choices}
        return " ".join(labels.get(word, word) for word in value.split(" "))

    def policy(self, register: str) -> Policy:
        """The merge policy of a register, `field` or `field/member`; raises UnknownField."""
        return _field_policy(self, register.partition("/")[0])

    def lifecycle_of(self, name: str) -> Lifecycle | None:
        """The order of a `furthest` field: the type's states, an approval's, or its choices."""
        field = self.field(name)
        if field.type == "state":
            return self.lifecycle
        if field.type == "approval":
            return APPROVAL
        return linear_lifecycle(field.codes, field.forks) if field.merge == "furthest" else None


_WORD = re.compile(r"\w+")


@lru_cache(maxsize=4096)
def _field_policy(kind: Type, name: str) -> Policy:
    if name in SYSTEM:
        return Policy(SYSTEM[name])
    field = kind.field(name)
    order = field.codes if field.type == "choice" else ()
    return Policy(field.merge, order, kind.lifecycle_of(name))


class Schema(msgspec.Struct, frozen=True, eq=False):
    """All record types of an organisation; `version` is an 8-digit hex hash of all."""

    types: dict[str, Type]
    version: str

    def type(self, name: str) -> Type:
        """The type of that name; raises UnknownType."""
        try:
            return self.types[name]
        except KeyError:
            raise errors.UnknownType(type=name, known=list(self.types)) from None

    @lru_cache(maxsize=8)  # noqa: B019 - a process works with few schemas, and has these for all its life
    def compression_dictionary(self) -> bytes:
        """Text that records are full of, for zstd: the same bytes for the same schema, <= 16 KiB.

        The most frequent words stand last, where zstd reaches them most cheaply.
        """
        labels: list[str] = []
        words: list[str] = []
        for kind in self.types.values():
            for field in kind.fields.values():
                labels.extend(choice.label.get("ar", "") for choice in field.choices)
                words.extend(field.codes)
                if field.kind == "set":
                    words.extend(f"{field.name}/{code}" for code in field.codes)
        for kind in self.types.values():
            words.append(kind.name)
            words.extend(kind.fields)
        text = "\n".join(dict.fromkeys([*labels, *words]))
        return text.encode()[-DICTIONARY_LIMIT:]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Schema)


def make_schema(types: dict[str, Type]) -> Schema:
    """A schema with its version: the start of the SHA-256 of its canonical form."""
    return Schema(types, hashlib.sha256(_encoder.encode(types)).hexdigest()[:8])


def encode_schema(schema: Schema) -> bytes:
    """The compiled schema, as a store keeps it."""
    return _encoder.encode(schema)


@lru_cache(maxsize=8)  # nobody changes a schema
def decode_schema(data: bytes) -> Schema:
    """The schema from its compiled form; raises BadFile."""
    try:
        return _decoder.decode(data)
    except msgspec.MsgspecError as error:
        raise errors.BadFile(file="schema", reason="compiled_schema") from error


def view_columns(schema: Schema) -> dict[str, dict[str, bool]]:
    """Return the stored fields of each type, and whether each is a reference: the columns of a store's views."""
    return {
        name: {field.name: bool(field.to) for field in kind.fields.values() if field.kind != "derived"}
        for name, kind in schema.types.items()
    }
