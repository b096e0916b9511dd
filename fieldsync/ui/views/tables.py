"""Command results for display: cards for one record, tables for many, single lines."""

import io
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING

from fieldsync.core.units import is_within
from fieldsync.replica.node import Node
from fieldsync.replica.queries import Record, ShownHead
from fieldsync.schema import given_names
from fieldsync.schema.labels import label_in
from fieldsync.schema.model import Field, Type
from fieldsync.ui.terminal import bidi, messages
from fieldsync.ui.terminal.messages import SafeText
from fieldsync.ui.views.devices import DeviceTables
from fieldsync.ui.views.record_card import INDENT, local_time

if TYPE_CHECKING:
    from fieldsync.review.asked_questions import AskedQuestion
    from fieldsync.review.decisions import OpenConflict
    from fieldsync.schema.type_summaries import TypeSummary

_Column = tuple[str, Callable[[Record], object]]
_OWN = {  # columns that every record has, and the keys of their words
    "id": "column_id", "code": "column_code", "unit": "column_unit", "about": "agenda_about", "updated": "column_changed",
    "by": "column_changed_by",
}  # fmt: skip


class Tables(DeviceTables):
    """The terminal with all that can be drawn on it."""

    _called: Mapping[str, str] = MappingProxyType({})  # what the references of a list stand for

    # --- many ---

    def records(self, node: Node, found: Sequence[Record], *, limit: int, chosen: Sequence[str] = ()) -> None:
        """A table of records, with the `chosen` columns where some were."""
        if not found:
            self.say("none_found")
            return
        kind = node.schema.types.get(found[0].type) if len({record.type for record in found}) == 1 else None
        heads, *rows = self.record_rows(node, kind, found, chosen)
        marks = [] if chosen else [self.marks(record) for record in found]
        if marks:
            heads, rows = [*heads, ""], [[*row, mark] for row, mark in zip(rows, marks, strict=True)]
        self.table([str(head) for head in heads], rows, whole={0})
        if limit and len(found) == limit:
            self.say("more_exist", limit=limit)

    def record_rows(
        self, node: Node, kind: Type | None, found: Sequence[Record], chosen: Sequence[str] = ()
    ) -> list[list[object]]:
        """Return the heads and rows of a table of records, of one type where they have one; `chosen` as `column_name` gives it."""
        from fieldsync.casework import titles

        self.use_node(node)
        self._called = titles.reference_titles(node, _references(node, found, chosen))
        if chosen and kind is not None:
            columns = [self._chosen_column(node, kind, found, name) for name in chosen]
        else:
            columns = self._usual_columns(node, kind, found)
        return [[name for name, _ in columns], *([value(record) for _, value in columns] for record in found)]

    def column_name(self, kind: Type, given: str) -> str:
        """Return a named column: a field by name or label, or one common to all records. UnknownField."""
        own = {self.label_of_own(name).casefold(): name for name in _OWN}
        known = given if given in _OWN else own.get(given.casefold())
        return known or given_names.field_named(kind, given).name

    def label_of_own(self, name: str) -> str:
        """Return the label of a column common to all records."""
        return self.phrase(_OWN[name])

    def _chosen_column(self, node: Node, kind: Type, found: Sequence[Record], name: str) -> _Column:
        if name == "about":
            return self._about_column(node, kind, found)
        own: dict[str, Callable[[Record], object]] = {
            "id": lambda one: one.id,
            "code": lambda one: one.code or one.id[:8],
            "unit": lambda one: one.unit,
            "updated": _changed,
            "by": lambda one: one.updated and one.updated.by,
        }
        return (self.label_of_own(name), own[name]) if name in own else (self.label(kind, name), self._cell(kind, name))

    def _cell(self, kind: Type, name: str) -> Callable[[Record], object]:
        """Return a field's cell in a row: references by title, several values with commas, entries one after another."""
        field = kind.fields[name]

        def cell(record: Record) -> str:
            value = record.fields.get(name)
            if value is None:
                return ""
            if isinstance(value, list) and value and isinstance(value[0], dict):
                return " · ".join(f"{entry['at'][:10]} {entry['by']}: {entry['text']}" for entry in value)
            several = value if isinstance(value, list) else [value]
            return messages.list_comma(self.lang).join(
                self._called.get(str(one), str(one)) if field.to else self._plain(field, one) for one in several
            )

        return cell

    def _usual_columns(self, node: Node, kind: Type | None, found: Sequence[Record]) -> list[_Column]:
        """Code and title, then distinguishing fields; columns in Latin letters are between Arabic ones."""
        more = self._of_type(node, kind, found) if kind else []
        latin: list[_Column] = [] if more else [(self.phrase("column_changed"), _changed)]
        if not more or len({record.unit for record in found}) > 1:
            latin.append((self.phrase("column_unit"), lambda one: one.unit))
        columns: list[_Column] = [(self.phrase("column_code"), lambda one: one.code or one.id[:8])]
        if kind is None:
            columns.append((self.phrase("column_type"), lambda one: self.type_label(node, one.type)))
        for name in kind.title if kind else ("",):
            label = self.label(kind, name) if name else self.phrase("column_name")
            columns += [(label, partial(self._title, node, name)), *latin[:1]]
            latin = latin[1:]
        return [*columns, *more, *latin]

    def _about_column(self, node: Node, kind: Type | None, found: Sequence[Record]) -> _Column:
        from fieldsync.casework import titles

        whom = titles.subject_titles(node, [record.id for record in found])
        key = "about_household" if kind is not None and kind.belongs_to == "household" else "agenda_about"
        return self.phrase(key), lambda one: whom.get(one.id)

    def _of_type(self, node: Node, kind: Type, found: Sequence[Record]) -> list[_Column]:
        """Return the distinguishing columns of a type beside the title: subject and state."""
        columns: list[_Column] = []
        if kind.belongs_to:
            columns.append(self._about_column(node, kind, found))
        if kind.lifecycle is not None and "state" in kind.fields:
            columns.append((self.label(kind, "state"), partial(self._title, node, "state")))
        return columns

    def _title(self, node: Node, name: str, record: Record) -> str:
        kind = node.schema.types.get(record.type)
        names = [name] if name else list(kind.title if kind else ())
        fields = record.fields
        given = [(kind.fields[n], fields[n]) for n in names if kind and fields.get(n) is not None]
        return " ".join(
            self._called.get(str(value), str(value)) if field.type == "ref" else self._plain(field, value)
            for field, value in given
        )

    def _plain(self, field: Field, value: object) -> str:
        return self.phrase("yes" if value else "no") if isinstance(value, bool) else field.value_words(value, self.lang)

    def marks(self, record: Record) -> str:
        """Return how many conflicts a record has, and whether it waits to be sent."""
        marks = [self.phrase("in_conflict_n", n=len(record.conflicts))] if record.conflicts else []
        return " ".join(marks + ([self.phrase("unsent")] if record.unsent else []))

    # --- review ---

    def show_conflict_list(self, node: Node, found: "Sequence[OpenConflict]") -> None:
        """A table of conflicts."""
        self.use_node(node)
        if not found:
            self.say("no_conflicts")
            return
        rows: list[list[object]] = []
        for item in found:
            kind = node.schema.types.get(item.type)
            values = SafeText(
                " / ".join(self.format_value(kind, item.field, head.value) for head in in_time(item.heads))
            )
            code = item.code or item.record[:8]
            waits = [one.of for one in item.questions or () if one.answer is None]
            mark = self.phrase("question_waits", of=self.several(waits)) if waits else ""
            rows.append([code, item.title, self.label(kind, item.field), local_time(item.since), values, mark])
        columns = ("column_code", "column_name", "column_field", "column_since", "column_values")
        heads = [*(self.phrase(column) for column in columns), ""]
        if self.fits(heads, rows):
            self.table(heads, rows, whole={0})
            return
        for row in rows:
            self.line("  ".join(self.safe(cell) for cell in (row[0], row[1], row[3]) if cell))
            self.line(f"{INDENT}{self.safe(row[2])}: " + "  ".join(self.safe(cell) for cell in row[4:] if cell))

    def show_conflicts(self, node: Node, found: "Sequence[OpenConflict]") -> None:
        """A record's conflicts: the value they started from, and each head with who, where, when."""
        self.use_node(node)
        if not found:
            self.say("no_conflicts")
        for item in found:
            kind = node.schema.types.get(item.type)
            record = SafeText("  ".join(filter(None, (item.code or item.record, item.title and self.safe(item.title)))))
            self.line(f"{record}  {self.safe(self.label(kind, item.field))} [{item.field}]")
            self.line(f"{INDENT}{self.phrase('was')}: {self.format_value(kind, item.field, item.base)}")
            for head in in_time(item.heads):
                value = self.format_value(kind, item.field, head.value)
                self.line(f"{INDENT}{head.name}  {value}  {self.safe(head.by)}  {local_time(head.at)}")
            self.asked(item.questions or ())

    def conflict_values(self, node: Node, item: "OpenConflict") -> str:
        """The values with their authors, in words for these."""
        kind = node.schema.types.get(item.type)
        values = (f"{self.plain_value(node, kind, item.field, head.value)} ({head.by})" for head in in_time(item.heads))
        return f"{self.label(kind, item.field)}: {' / '.join(values)}"

    def pair_words(self, kind: Type | None, own: Record, other: Record) -> str:
        """The names of a pair of records for the author of `own`; of a record elsewhere the code only."""
        named = is_within(str(other.unit), str(own.unit))
        mine, its = (f"{one.code or one.id[:8]} {bidi.without_isolates(self.title(kind, one))}" for one in (own, other))
        return f"{mine} / {its if named else other.code or other.id[:8]}"

    def returned(self, kind: str, asked: "Sequence[AskedQuestion]") -> SafeText:
        """Tell whom a returned conflict or pair waits for."""
        key = "review_returned" if kind == "conflict" else "review_pair_returned"
        return SafeText(self.phrase(key, of=self.several(one.of for one in asked)))

    def plain_value(self, node: Node, kind: Type | None, name: str, value: object) -> str:
        """A value in words, without anything that keeps it apart on a screen."""
        self.use_node(node)
        return bidi.without_isolates(self.format_value(kind, name, value))

    def bulk(self, node: Node, items: "Sequence[OpenConflict]", chosen: Sequence[ShownHead], *, dry_run: bool) -> None:
        """The decisions of a bulk decision or its dry run."""
        self.use_node(node)
        for item, head in zip(items, chosen, strict=True):
            kind = node.schema.types.get(item.type)
            record = SafeText("  ".join(filter(None, (item.code or item.record[:8], self.safe(item.title)))))
            value, *over = (
                f"{self.format_value(kind, item.field, one.value)} ({self.safe(one.by)})"
                for one in (head, *(other for other in in_time(item.heads) if other != head))
            )
            self.line(f"{record}  {self.safe(self.label(kind, item.field))}: {value}  {head.name}")
            self.line(INDENT + self.phrase("bulk_over", values=self.several(map(SafeText, over))))
        self.say("would_decide" if dry_run else "decided", n=len(items))

    # --- the office ---

    def office_made(self, org: str, unit: str, address: str, fingerprint: str, recovery: str) -> None:
        """The data to keep: address, fingerprint, recovery key."""
        self.say("office_made", org=org, unit=unit, address=address)
        self.say("fingerprint", fingerprint=fingerprint)
        self.say("recovery", recovery=recovery)

    def invited(self, name: str, invite: str, expires: str, fingerprint: str) -> None:
        """The invite, ready to be copied."""
        self.say("invited", name=name, expires=local_time(expires), fingerprint=fingerprint)
        if not self.tty:
            self.line(invite)
            return
        import segno

        code = io.StringIO()
        segno.make(invite, error="l").terminal(code, compact=True)
        lines, shown = code.getvalue().count("\n"), shutil.get_terminal_size().lines
        if lines < shown:
            self.line(invite)
        sys.stdout.write(code.getvalue())
        if lines >= shown:  # it scrolls: what stays on the screen says how to see it, and is complete without it
            self.say("invited_code_high", lines=lines + 1, shown=shown)
            self.line(invite)

    def attached(self, server: str, address: str, units: Sequence[str], device: str) -> None:
        """This server's new upstream."""
        self.say("attached", server=server, address=address, n=len(units), units=self.several(units), device=device)

    def scheduled_timer(self, at: str, minutes: int, files: Sequence[str], *, active: bool, user: bool) -> None:
        """The time of the systemd timer, and the files written."""
        self.say("scheduled", at=at, minutes=minutes, files=self.several(files))
        if user:
            self.say("scheduled_user")
        if not active:
            systemctl = "systemctl --user" if user else "systemctl"
            self.say("not_active", how=f"{systemctl} enable --now fieldsync-upstream.timer")

    def scheduled_cron(self, at: str, minutes: int, line: str, *, active: bool) -> None:
        """When cron will sync, and its line."""
        self.say("scheduled_cron", at=at, minutes=minutes)
        self.line(line)
        if not active:
            self.say("not_active", how="crontab -e")

    def exported(self, node: Node, file: str, records: int, types: Sequence[str], left_out: Sequence[str]) -> None:
        """One line, and a warning that the file is not encrypted."""
        self.say("exported", n=records, file=file)
        if left_out:
            self.say("export_left_out", fields=[self._left_out(node, types, one) for one in left_out])
        self.say("export_open")

    def _left_out(self, node: Node, types: Sequence[str], name: str) -> str:
        """The label of a field that was left out; of several types, with its type's."""
        type, _, field = name.rpartition(".")
        label = self.label(node.schema.types[type or types[0]], field)
        return f"{self.type_label(node, type)}: {label}" if type else label

    # --- forms ---

    def types(self, found: "Sequence[TypeSummary]") -> None:
        """The record types: on a terminal as a tree of what belongs to what, in two columns; in a pipe as a table."""
        if self.tty:
            self._tree_of(found)
            return
        columns = ("column_type", "column_label", "column_version", "column_fields")
        version = {True: self.phrase("form_is_retired"), False: ""}
        rows: list[list[object]] = [
            [t.type, label_in(t.label, self.lang), f"{t.version} {version[t.retired]}".strip(), t.fields] for t in found
        ]
        self.table([self.phrase(name) for name in columns], rows)

    def _tree_of(self, found: "Sequence[TypeSummary]") -> None:
        below: dict[str | None, list[TypeSummary]] = {}
        for one in found:
            below.setdefault(next(iter(one.owners), None), []).append(one)
        lines: list[tuple[str, str]] = []

        def branch(owner: str | None, depth: int) -> None:
            for one in sorted(
                below.get(owner, ()), key=lambda one: (owner is None and one.type not in below, one.type)
            ):
                mark = self.phrase("form_is_retired") if one.retired else f"v{one.version}" if one.version > 1 else ""
                label = label_in(one.label, self.lang)
                if label.casefold().replace("-", " ") == one.type.replace("_", " "):
                    label = ""  # it says what the name says, and others need the room
                lines.append(("\u00a0\u00a0" * depth + one.type, f"{label} {mark}".strip()))
                branch(one.type, depth + 1)

        branch(None, 0)
        half = (len(lines) + 1) // 2
        beside = [*lines[half:], *[("", "")] * (2 * half - len(lines))]
        rows: list[list[object]] = [[*left, *right] for left, right in zip(lines[:half], beside, strict=True)]
        self.table(["", "", "", ""], rows, whole=(0, 2), headed=False)

    def fields(self, kind: Type) -> None:
        """A table of a type's fields, under its name and version."""
        retired = self.phrase("form_is_retired")
        self.say(
            "form_version",
            name=label_in(kind.label, self.lang),
            version=kind.version,
            retired=retired if kind.retired else "",
        )
        rows: list[list[object]] = [
            [
                field.name,
                label_in(field.label, self.lang),
                field.type,
                field.merge,
                retired if field.retired else field.required,
                *(() if self.tty else (" ".join(field.codes),)),
            ]
            for field in kind.fields.values()
        ]
        names = ["column_field", "column_label", "column_type", "column_merge", "column_needed", "column_choices"]
        self.table([self.phrase(name) for name in names[: 5 if self.tty else 6]], rows, whole=(0, 2, 3, 4))
        if self.tty:  # they would not fit beside the rest
            chosen: list[list[object]] = [
                [field.name if choice is field.choices[0] else "", choice.code, label_in(choice.label, self.lang)]
                for field in kind.fields.values()
                for choice in field.choices
            ]
            self.table(["", *[self.phrase(name) for name in ("column_choices", "column_label")]], chosen, whole=(0, 1))

    def folder_good(self, types: Sequence[str], version: str) -> None:
        """One line."""
        self.say("folder_good", types=self.several(types), version=version)


def _changed(record: Record) -> str:
    return local_time(record.updated.at) if record.updated else ""


def in_time(heads: Iterable[ShownHead]) -> list[ShownHead]:
    """Heads in the order in which they were written."""
    return sorted(heads, key=lambda head: head.order)


def _references(node: Node, found: Sequence[Record], names: Sequence[str] = ()) -> Iterator[str]:
    for record in found:
        kind = node.schema.types.get(record.type)
        for name in names or (kind.title if kind else ()):
            if kind and name in kind.fields and kind.fields[name].type == "ref" and name in record.fields:
                value = record.fields[name]
                yield from map(str, value if isinstance(value, list) else [value])
