"""The search for an existing registration before a form is filled in: by names, phone, year or number."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from fieldsync.core import names, record_ids
from fieldsync.linkage import features
from fieldsync.linkage.comparison import NO_MATCH, WORTH, Likeness
from fieldsync.replica import duplicate_index, lookup
from fieldsync.replica.duplicate_index import DuplicateCandidate
from fieldsync.replica.node import Node
from fieldsync.replica.record_units import unit_of
from fieldsync.review.duplicate_pairs import SimilarRecord
from fieldsync.store import ReadTx
from fieldsync.store.contract import Document, Progress, Row

MEMBER = "member"
"""The reason of a household of which a member was found."""
IN_FIELD = "in_"
"""How the reasons of records begin in which a word was found: `in_FIELD`."""

_HOUSEHOLD, _PERSON = "household", "person"
_MOST_FOUND = 50
_NUMBER = re.compile(r"[+]?[0-9](?:[0-9 ()./-]*[0-9])?")
_PHONE_DIGITS = range(7, 16)
_YEAR = re.compile(r"(?<!\S)(?:19|20)[0-9]{2}(?!\S)")
# what a reason of the comparison says of a record's field; the word in it needs no second one
_TOLD = {
    "given": ("given",), "father": ("father",), "grandfather": ("grandfather",), "family": ("family", "family_name"),
    "mother": ("mother",), "latin": ("name_latin",), "alias": ("aliases",), "phone": ("phones",), "birth_year": ("birth_date",),
    "birth_near": ("birth_date",), "place": ("location", "address"),
}  # fmt: skip
_HOW = ("_spelt", "_like")


def is_searched_first(type: str) -> bool:
    """Return whether one looks for a record of this type before a new one is made: the types that are compared."""
    return type in features.FIELDS


def prepare(node: Node, *, progress: Progress | None = None) -> None:
    """Index records changed since the last search."""
    lookup.index_words(node, progress=progress)
    duplicate_index.update_index(node, compare=False, progress=progress)


def find_registered(node: Node, type: str, text: str, *, limit: int) -> list[SimilarRecord]:
    """Return the records of a type that words may mean, the likeliest first, each with what speaks for it."""
    wanted = names.query_terms(text)
    if not wanted:
        return []
    with node.store.read() as tx:
        rows = {row.n: row for row in lookup.found_rows(node, tx, text, limit=_MOST_FOUND, type=type)}
        families = _families_of_members(node, tx, text) if type == _HOUSEHOLD else {}
        rows |= families
        there = {row.state.record for row in rows.values()}
        matches = dict[bytes, Likeness]()
        for doc in _documents(type, text):
            for one in _compare(tx, type, doc, rows):
                known = one.record in there or one.match.score >= WORTH
                if known and one.match.score > matches.get(one.record, NO_MATCH).score:
                    matches[one.record] = one.match
        more = tx.rows(matches.keys() - there)
        rows |= {row.n: row for row in more.values()}
        found = []
        for row in rows.values():
            if tx.is_merged(row.state.record):
                continue
            match = matches.get(row.state.record, NO_MATCH)
            fields, hits = _fields_found(node, row, wanted)
            reasons = list(_reasons(match, fields, member=row.n in families))
            if reasons:
                told = len(wanted) if row.n in families else hits
                found.append((-told, -match.score, row.n, _similar(tx, row, match, reasons)))
    return [one for *_, one in sorted(found, key=lambda one: one[:3])[:limit]]


def first_answers(type: str, text: str) -> dict[str, object]:
    """Return the answers of a new record's form that a search's words give."""
    said, phones, _ = _parse_words(text)
    if len(names.name_tokens(" ".join(said))) != len(
        said
    ):  # عبد الرحمن: whose name ends where is for the person to say
        said = []
    made: dict[str, object] = {"phones": phones} if phones else {}
    if type == _HOUSEHOLD:
        return made | ({"family_name": said[0]} if len(said) == 1 else {})
    if len(said) == 2 and not said[1].startswith("ال"):
        return made | dict(zip(("given", "father"), said, strict=True))
    parts = {1: ("given",), 2: ("given", "family"), 3: ("given", "father", "family")}
    fields = parts.get(len(said), ("given", "father", "grandfather", "family"))
    return made | (dict(zip(fields, said, strict=True)) if len(fields) == len(said) else {})


def _parse_words(text: str) -> tuple[list[str], list[str], str]:
    """Return the words of a search that are names, those that may be phones, and a year of birth."""
    plain, phones = names.strip_invisible(text), list[str]()
    years = _YEAR.findall(plain)

    def take(found: re.Match[str]) -> str:
        digits = re.sub("[^0-9]", "", found[0])
        if len(digits) in _PHONE_DIGITS:
            phones.append(("+" if found[0].startswith("+") else "") + digits)
        return " "

    rest = _NUMBER.sub(take, _YEAR.sub(" ", plain))
    return [word for word in rest.split() if any(map(str.isalpha, word))], phones, years[0] if years else ""


def _documents(type: str, text: str) -> Iterator[dict[str, Any]]:
    """Yield possible documents of a sought record: names in the orders that people write."""
    said, phones, year = _parse_words(text)
    tokens = names.name_tokens(" ".join(said))
    if type == _HOUSEHOLD:
        for name in dict.fromkeys((" ".join(tokens), *tokens)):
            yield {"family_name": name, "phones": phones}
        return
    rest = {"phones": phones} | ({"birth_date": year + "-01-01", "birth_precision": "year"} if year else {})
    if len(tokens) > 2:
        yield rest | {
            "given": tokens[0],
            "father": tokens[1],
            "grandfather": " ".join(tokens[2:-1]),
            "family": tokens[-1],
        }
    elif tokens:
        yield rest | {"given": tokens[0], "family": tokens[-1] if tokens[1:] else ""}
        yield rest | {"given": tokens[0], "father": tokens[-1] if tokens[1:] else ""}


def _compare(tx: ReadTx, type: str, doc: Document, rows: Iterable[int]) -> list[DuplicateCandidate]:
    return duplicate_index.match_document(tx, type, doc, {*rows, *duplicate_index.meeting_records(tx, type, doc)})


def _families_of_members(node: Node, tx: ReadTx, text: str) -> dict[int, Row]:
    """Return the households of persons that these words find."""
    persons = lookup.found_rows(node, tx, text, limit=_MOST_FOUND, type=_PERSON)
    homes = tx.rows({row.owner for row in persons if row.owner is not None})
    return {row.n: row for row in homes.values() if row.state.type == _HOUSEHOLD and "_deleted" not in row.doc}


def _fields_found(node: Node, row: Row, wanted: Sequence[Sequence[str]]) -> tuple[list[str], int]:
    """Return the fields of a record in which words were found, and how many of the words that were."""
    rules = node.rules.type_rules(row.state.type)
    fields, hits = [], set[int]()
    for field in rules.search:
        words = set(rules.words_of(field, row.doc))
        there = {at for at, terms in enumerate(wanted) if names.terms_match(words, terms)} if words else set()
        if there:
            fields.append(field)
            hits |= there
    return fields, len(hits)


def _reasons(match: Likeness, fields: Iterable[str], *, member: bool) -> Iterator[str]:
    """Yield the reasons for a record: those of the comparison, one for each field it leaves out, a member."""
    told = set[str]()
    for reason in match.reasons:
        if not reason.endswith("_other"):
            told.update(_TOLD.get(reason.removesuffix(next((how for how in _HOW if reason.endswith(how)), "")), ()))
            yield reason
    yield from (IN_FIELD + field for field in fields if field not in told)
    if member:
        yield MEMBER


def _similar(tx: ReadTx, row: Row, match: Likeness, reasons: list[str]) -> SimilarRecord:
    fields = {name: value for name, value in row.doc.items() if not name.startswith("_")}
    return SimilarRecord(
        record_ids.id_text(row.state.record), row.code, row.state.type, unit_of(tx, row),
        fields=fields, score=match.score, reasons=reasons,
    )  # fmt: skip
