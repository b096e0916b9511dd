"""Pictures of what commands found, for people: cards for one record, tables for many, a line where a line is enough."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from fieldsync import errors
from fieldsync.schema import validate
from fieldsync.schema.model import Field, Type
from fieldsync.sync import read
from fieldsync.sync.node import Node
from fieldsync.ui import moving
from fieldsync.ui.terminal import Terminal
from fieldsync.ui.words import Shown

Json = dict[str, Any]
_INDENT = "  "
_SPANS = (("years", 31_557_600_000), ("days", 86_400_000), ("hours", 3_600_000), ("minutes", 60_000))
_SYSTEM = ("_code", "_deleted", "_unit", "_same_as", "_shared")
_Column = tuple[str, Callable[[Json], object]]


class Tables(Terminal):
    """The terminal with all that can be drawn on it."""

    _node: Node | None = None

    def of(self, node: Node) -> None:
        """Look up in this node's store what references name."""
        self._node = node

    # --- one record ---

    def record(self, node: Node, found: Json) -> None:
        """A card: who it is, then label and value, one field a line; what is in conflict is marked."""
        self.of(node)
        kind = node.schema.types.get(found["type"])
        self.line(self.heading(kind, found))
        fields = found["fields"]
        rows = [(self.label(kind, name), self.shown(kind, name, value), name) for name, value in fields.items()]
        for label, value, name in rows:
            mark = "  ⚠ " + self.phrase("in_conflict") if name in found["conflicts"] else ""
            self.line(f"{_INDENT}{self.safe(label)}: {value}{mark}")
        for name in found["conflicts"]:
            if name not in fields:
                self.line(f"{_INDENT}{self.safe(self.label(kind, name))}: ⚠ " + self.phrase("in_conflict"))
        if found["deleted"]:
            self.line(_INDENT + self.phrase("is_deleted"))
        if found["updated"] is not None:
            by, at = found["updated"]["by"], when(found["updated"]["at"])
            self.line(_INDENT + self.phrase("last_changed", by=self.safe(by), at=at))
        for name, heads in found.get("registers", {}).items():
            for head in heads:
                source = f"{head['device']}:{head['seq']}"
                value = self.shown(kind, name, head["value"])
                self.line(
                    f"{_INDENT}{self.safe(name)} = {value}  [{source}  {self.safe(head['by'])}  {when(head['at'])}]"
                )

    def saved(self, node: Node, found: Json) -> None:
        """The record as it is now, what is still missing, and what looks odd."""
        self.record(node, found)
        kind = node.schema.types.get(found["type"])
        if kind is None:
            return
        missing = validate.missing(kind, found["fields"], node.today())
        if missing:
            self.say("still_missing", fields=self.several(self.label(kind, name) for name in missing))
        for odd in validate.warnings(kind, found["fields"], node.today()):
            self.say(
                f"odd_{odd['reason']}" if odd["reason"] in ("warn", "coarse") else "odd",
                field=self.label(kind, odd["field"]),
            )

    def removed(self, node: Node, found: Json) -> None:
        """One line: it is gone from the lists."""
        self.say("removed", record=self.heading(node.schema.types.get(found["type"]), found))

    def several(self, parts: Iterable[object]) -> Shown:
        """Several words in one line, with the language's comma."""
        return Shown(("، " if self.lang == "ar" else ", ").join(map(self.safe, parts)))

    def heading(self, kind: Type | None, found: Json) -> Shown:
        """What names a record: its code, its title, type and unit, and whether it waits to be sent."""
        title = " ".join(self._titles(kind, found))
        name = kind.label.get(self.lang, kind.name) if kind else found["type"]
        parts = [found["code"] or found["id"], title, self.safe(name), self.safe(found["unit"] or "")]
        if found["unsent"]:
            parts.append(self.phrase("unsent"))
        return Shown("  ".join(part for part in parts if part))

    def label(self, kind: Type | None, name: str) -> str:
        """What a field is called in the person's language."""
        field = kind.fields.get(name.partition("/")[0]) if kind else None
        if field is not None:
            return field.label.get(self.lang) or field.name
        return self.phrase(f"field{name}") if name in _SYSTEM else name

    def shown(self, kind: Type | None, name: str, value: object) -> Shown:
        """A value as people read it: labels for choices, commas between a set's members, a log's entries one a line."""
        field = kind.fields.get(name.partition("/")[0]) if kind else None
        if value is None:
            return Shown("—")
        if not isinstance(value, list):
            return self._word(field, value)
        if value and isinstance(value[0], dict):
            entries = (f"{when(one['at'])} {self.safe(one['by'])}: {self.safe(one['text'])}" for one in value)
            return Shown("".join(f"\n{_INDENT * 2}{entry}" for entry in entries))
        return self.several(self._word(field, member) for member in value)

    def _word(self, field: Field | None, value: object) -> Shown:
        if isinstance(value, bool):
            return Shown(self.phrase("yes" if value else "no"))
        if isinstance(value, dict):
            return self.safe(value.get("reason", "…"))
        if field is None:
            return self.safe(value)
        return self._named(str(value)) if field.type == "ref" else self.safe(field.words(value, self.lang))

    def _named(self, record: str) -> Shown:
        """What names a record that another one points to: its code and title, where it is here."""
        try:
            found = read.show(self._node, record) if self._node is not None else None
        except errors.NotFound:
            found = None
        if self._node is None or found is None:
            return self.safe(record)
        kind = self._node.schema.types.get(found["type"])
        return Shown(" ".join((found["code"] or record, *self._titles(kind, found))))

    def _titles(self, kind: Type | None, found: Json) -> list[Shown]:
        fields = found["fields"]
        return [self._word(kind.fields[n], fields[n]) for n in (kind.title if kind else ()) if kind and fields.get(n)]

    # --- many ---

    def records(self, node: Node, found: Sequence[Json], *, limit: int) -> None:
        """A table of records; columns in Latin letters stand between the Arabic ones."""
        if not found:
            self.say("none_found")
            return
        one_type = len({record["type"] for record in found}) == 1
        kind = node.schema.types.get(found[0]["type"]) if one_type else None
        changed = self.phrase("column_changed"), _changed
        latin: list[_Column] = [changed, (self.phrase("column_unit"), lambda one: one["unit"]), ("", self._marks)]
        columns: list[_Column] = [(self.phrase("column_code"), lambda one: one["code"] or one["id"][:8])]
        if not one_type:
            columns.append((self.phrase("column_type"), lambda one: one["type"]))
        for name in kind.title if kind else ("",):
            label = self.label(kind, name) if name else self.phrase("column_name")
            columns += [(label, partial(self._title, node, name)), *latin[:1]]
            latin = latin[1:]
        columns += latin
        self.table([name for name, _ in columns], [[value(record) for _, value in columns] for record in found])
        if limit and len(found) == limit:
            self.say("more_exist", limit=limit)

    def _title(self, node: Node, name: str, record: Json) -> str:
        kind = node.schema.types.get(record["type"])
        names = [name] if name else list(kind.title if kind else ())
        fields = record["fields"]
        return " ".join(
            str(kind.fields[n].words(fields[n], self.lang)) for n in names if kind and fields.get(n) is not None
        )

    def _marks(self, record: Json) -> str:
        marks = [self.phrase("in_conflict_n", n=len(record["conflicts"]))] if record["conflicts"] else []
        return " ".join(marks + ([self.phrase("unsent")] if record["unsent"] else []))

    def history(self, node: Node, type: str, found: Iterable[Json]) -> None:
        """One save after the other: when, who, where; then each field, old → new."""
        self.of(node)
        kind = node.schema.types.get(type)
        for entry in found:
            lost = "  ⚠ " + self.phrase("lost") if entry["lost"] else ""
            lost += "  ⚠ " + self.phrase("kept_aside") if entry.get("refused") else ""
            self.line(f"{when(entry['at'])}  {self.safe(entry['by'])}  {entry['device']}:{entry['seq']}{lost}")
            for name, change in entry["changes"].items():
                label = self.label(kind, name)
                member = name.partition("/")[2]
                old, new = (self.shown(kind, name, change[side]) for side in ("old", "new"))
                arrow = new if change["old"] is None else f"{old} → {new}"
                if member and isinstance(change["new"], bool):
                    arrow = ("+ " if change["new"] else "− ") + self.shown(kind, name, member)
                self.line(f"{_INDENT}{self.safe(label)}: {arrow}")
            if entry["note"]:
                self.line(f"{_INDENT}“{self.safe(entry['note'], lines=True)}”")
            self.receipt(entry["receipt"])

    def receipt(self, told: Json) -> None:
        """How far a save has come, where that is known."""
        parts = []
        if told["received"]:
            parts.append(self.phrase("received_by", servers=", ".join(map(self.safe, told["received"]))))
        if told["review"]:
            parts.append(self.phrase({"open": "review_open", "settled": "review_settled"}[told["review"]]))
        if parts:
            self.line(_INDENT + "; ".join(parts))

    # --- review ---

    def review(self, node: Node, found: Sequence[Json]) -> None:
        """A table of conflicts."""
        self.of(node)
        if not found:
            self.say("no_conflicts")
            return
        rows: list[list[object]] = []
        for item in found:
            kind = node.schema.types.get(item["type"])
            values = Shown(
                " / ".join(self.shown(kind, item["field"], head["value"]) for head in in_time(item["heads"]))
            )
            rows.append(
                [item["code"] or item["record"][:8], self.label(kind, item["field"]), when(item["since"]), values]
            )
        columns = ("column_code", "column_field", "column_since", "column_values")
        self.table([self.phrase(column) for column in columns], rows)

    def conflicts(self, node: Node, found: Sequence[Json]) -> None:
        """A record's conflicts: the value they started from, and each head with who, where, when."""
        self.of(node)
        if not found:
            self.say("no_conflicts")
        for item in found:
            kind = node.schema.types.get(item["type"])
            self.line(
                f"{item['code'] or item['record']}  {self.safe(self.label(kind, item['field']))} [{item['field']}]"
            )
            self.line(f"{_INDENT}{self.phrase('was')}: {self.shown(kind, item['field'], item['base'])}")
            for head in in_time(item["heads"]):
                value = self.shown(kind, item["field"], head["value"])
                self.line(
                    f"{_INDENT}{head['device']}:{head['seq']}  {value}  {self.safe(head['by'])}  {when(head['at'])}"
                )

    def bulk(self, node: Node, items: Sequence[Json], chosen: Sequence[Json], *, dry_run: bool) -> None:
        """What was, or would be, decided."""
        self.of(node)
        for item, head in zip(items, chosen, strict=True):
            kind = node.schema.types.get(item["type"])
            label = self.safe(self.label(kind, item["field"]))
            value = self.shown(kind, item["field"], head["value"])
            self.line(f"{item['code']}  {label}: {value}  {head['device']}:{head['seq']}")
        self.say("would_decide" if dry_run else "decided", n=len(items))

    # --- this node ---

    def status(self, node: Node, found: Json) -> None:
        """Who this is, what waits, how it is."""
        units = ", ".join(found["units"])
        role = self.phrase(f"role_{found['role']}") if found["role"] else ""
        self.line(f"{self.safe(found['person'])}  {role}  {units}  {self.phrase('device', device=found['device'])}")
        for name, count in found["records"].items():
            kind = node.schema.types.get(name)
            plural = kind.plural.get(self.lang, name) if kind else name
            self.line(f"{_INDENT}{self.safe(plural)}: {count:,}")
        if node.is_laptop:
            self.line(
                _INDENT + (self.phrase("n_unsent", n=found["unsent"]) if found["unsent"] else self.phrase("all_sent"))
            )
        if found["bundle"]:
            told = found["bundle"]
            self.line(
                2 * _INDENT + self.phrase("in_bundle", n=told["commits"], number=told["number"], at=when(told["at"]))
            )
        self.line(
            _INDENT
            + (self.phrase("n_conflicts", n=found["conflicts"]) if found["conflicts"] else self.phrase("no_conflicts"))
        )
        if node.is_laptop:
            at = when(found["last_sync"]) if found["last_sync"] else self.phrase("never")
            self.line(_INDENT + self.phrase("last_sync", at=at))
        if found["refused"]:
            from fieldsync.ui import forms

            for one in found["refused"]:
                forms.aside(self, node, one)
        if "clock_off" in found["health"]:
            self.line(f"{_INDENT}⚠ " + self.clock(found["clock_off_ms"]))
        self.line(
            _INDENT + self.phrase("health", health=", ".join(self.phrase(f"health_{one}") for one in found["health"]))
        )

    def clock(self, off_ms: int) -> str:
        """How far this computer's clock is off, in a unit of which it is two or more."""
        much = next((part for part in _SPANS if abs(off_ms) >= 2 * part[1]), _SPANS[-1])
        span = self.phrase(f"span_{much[0]}", n=f"{round(abs(off_ms) / much[1]):,}")
        return self.phrase("clock_ahead" if off_ms > 0 else "clock_behind", much=span)

    def synced(self, told: Json) -> None:
        """One line, and what a person should know besides."""
        self.say(
            "synced", server=told["server"], up=told["up"]["commits"], down=told["down"]["states"],
            size=size(told["up"]["bytes"] + told["down"]["bytes"]), seconds=f"{told['seconds']:.1f}",
        )  # fmt: skip
        if told.get("forms"):
            from fieldsync.ui import forms

            forms.changed(self, told["forms"])
        if told.get("partial"):
            self.say("partial", n=told["remaining"]["commits"])
        if told["new_conflicts"]:
            self.say("new_conflicts", n=told["new_conflicts"])
        if told["refused"]:
            self.say("n_refused", n=told["refused"])
        moving.left(self, told.get("left", ()))
        if told["digest"] == "healed":
            self.say("healed")
        if "renewed" in told:
            new = told["renewed"]
            self.say("renewed", device=new["device"], n=new["carried"])
            if new["codes"]:
                self.say("renewed_codes", codes=", ".join(f"{old} → {code}" for old, code in new["codes"].items()))
        if abs(told["clock_off_ms"]) > 10 * 60_000:
            self.line(self.clock(told["clock_off_ms"]))

    def sync_plan(self, told: Json) -> None:
        """What a sync would send."""
        self.say("would_send", n=told["up"]["commits"], server=told["server"])

    def packed(self, told: Json, *, server: bool) -> None:
        """What is in a bundle, for whom and where."""
        key = "packed_reply" if server else "packed"
        self.say(
            key, number=told["number"], to=told["for"], commits=told["commits"], states=told["states"],
            size=size(told["bytes"]), file=told["file"],
        )  # fmt: skip

    def unpacked(self, told: Json, *, server: bool) -> None:
        """What a bundle brought."""
        key = "unpacked_already" if told["already"] else "unpacked" if server else "unpacked_reply"
        self.say(
            key, number=told["number"], sender=told["from"], commits=told["up"]["commits"], states=told["down"]["states"],
            acknowledged=told.get("acknowledged"),
        )  # fmt: skip
        if told["new_conflicts"]:
            self.say("new_conflicts", n=told["new_conflicts"])
        if told["refused"]:
            self.say("n_refused", n=told["refused"])
        if told.get("digest") == "differs":
            self.say("differs")

    def joined(self, told: Json) -> None:
        """Who this laptop is now."""
        self.say(
            "joined", org=told["org"], person=told["person"], units=", ".join(told["units"]), device=told["device"]
        )
        self.synced(told["sync"])

    def checked(self, told: Json) -> None:
        """How the store is."""
        self.say(
            "check_ok" if told["ok"] else "check_bad", commits=f"{told['commits']:,}", records=f"{told['records']:,}"
        )
        for fault in told["faults"]:
            self.line(f"{_INDENT}{self.phrase('fault_' + fault['what'], **fault)}")

    def backed_up(self, made: Json) -> None:
        """Where the copy is."""
        self.say("backed_up", file=made["file"], size=size(made["bytes"]))

    def restored(self, made: Json) -> None:
        """Whose store it is, and what comes next."""
        self.say(f"restored_{made['kind']}", person=made["person"], records=f"{made['records']:,}")

    def passphrase_changed(self) -> None:
        """One line."""
        self.say("passphrase_changed")

    # --- the office ---

    def office_made(self, made: Json) -> None:
        """What is to be kept: address, fingerprint, recovery key."""
        self.say("office_made", org=made["org"], unit=made["unit"], address=made["address"])
        self.say("fingerprint", fingerprint=made["fingerprint"])
        self.say("recovery", recovery=made["recovery"])

    def invited(self, name: str, made: Json) -> None:
        """The invite, ready to be copied."""
        self.say("invited", name=name, expires=when(made["expires"]), fingerprint=made["fingerprint"])
        self.line(made["invite"])
        if self.tty:  # a camera reads it; a pipe wants the one line
            import segno

            segno.make(made["invite"], error="l").terminal(compact=True)

    def attached(self, told: Json) -> None:
        """Whose branch this server is now."""
        self.say("attached", **(told | {"units": ", ".join(told["units"])}))

    def scheduled(self, told: Json) -> None:
        """When it will run, and what was written for that."""
        facts = {"at": told["at"], "minutes": told["delay_minutes"]}
        if told["cron"] is None:
            self.say("scheduled", **facts, files=", ".join(told["files"]))
        else:
            self.say("scheduled_cron", **facts)
            self.line(told["cron"])
        if not told["active"]:
            self.say(
                "not_active", how="crontab -e" if told["cron"] else "systemctl enable --now fieldsync-upstream.timer"
            )

    def devices(self, found: Sequence[Json]) -> None:
        """A table of devices."""
        rows: list[list[object]] = [
            [
                d["device"],
                d["person"],
                d["role"],
                ", ".join(d["units"]),
                when(d["seen"]) if d["seen"] else "",
                d["state"],
            ]
            for d in found
        ]
        names = ("column_device", "column_person", "column_role", "column_unit", "column_seen", "column_state")
        self.table([self.phrase(name) for name in names], rows)

    def imported(self, told: Json, *, dry_run: bool) -> None:
        """One line."""
        self.say("would_import" if dry_run else "imported", **{k: told[k] for k in ("added", "changed", "unchanged")})

    def exported(self, told: Json) -> None:
        """One line, and a warning where what was written is open to anybody."""
        self.say("exported", n=told["records"], file=told["file"])
        self.say("export_open")

    def costs(self, costs: Sequence[Json]) -> None:
        """What each sync of the demo cost."""
        rows: list[list[object]] = [
            [
                c["who"],
                *(f"{n:,}" for n in (c["up"]["commits"], c["down"]["states"], c["up"]["bytes"], c["down"]["bytes"])),
                c["requests"],
                f"{c['seconds']:.2f}",
            ]
            for c in costs
        ]
        names = ("who", "sent", "fetched", "up", "down", "requests", "seconds")
        self.table([self.phrase(f"column_{name}") for name in names], rows)

    # --- forms ---

    def types(self, found: Sequence[Json]) -> None:
        """A table of record types."""
        columns = ("column_type", "column_label", "column_version", "column_fields")
        version = {True: self.phrase("form_is_retired"), False: ""}
        rows: list[list[object]] = [
            [t["type"], t["label"].get(self.lang), f"{t['version']} {version[t['retired']]}".strip(), t["fields"]]
            for t in found
        ]
        self.table([self.phrase(name) for name in columns], rows)

    def fields(self, kind: Type) -> None:
        """A table of a type's fields, under its name and version."""
        retired = self.phrase("form_is_retired")
        self.say(
            "form_version",
            name=kind.label.get(self.lang),
            version=kind.version,
            retired=retired if kind.retired else "",
        )
        rows: list[list[object]] = []
        for field in kind.fields.values():
            choices = " ".join(field.codes[:8]) + (" …" if len(field.codes) > 8 else "")
            rows.append(
                [
                    field.name,
                    field.label.get(self.lang),
                    field.type,
                    field.merge,
                    retired if field.retired else field.required,
                    choices,
                ]
            )
        names = ("column_field", "column_label", "column_type", "column_merge", "column_needed", "column_choices")
        self.table([self.phrase(name) for name in names], rows)

    def folder_good(self, told: Json) -> None:
        """One line."""
        self.say("folder_good", types=", ".join(told["types"]), version=told["version"])


def _changed(record: Json) -> str:
    return when(record["updated"]["at"]) if record["updated"] else ""


def in_time(heads: Iterable[Json]) -> list[Json]:
    """Heads in the order in which they were written."""
    return sorted(heads, key=lambda head: (head["at"], head["device"], head["seq"]))


def when(at: str) -> str:
    """A time of the contract's JSON as people read it here: local, to the minute, in ASCII digits."""
    return datetime.fromisoformat(at).astimezone().strftime("%Y-%m-%d %H:%M")


def size(count: int) -> str:
    """A number of bytes as people read it."""
    return f"{count:,} B" if count < 10_000 else f"{count / 1_000:,.0f} kB"
