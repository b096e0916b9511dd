"""Runs a report for a period: the current rows, and beside them the issued ones."""

import json
from collections.abc import Iterable, Mapping

from msgspec import UNSET, Struct, UnsetType

from fieldsync import errors
from fieldsync.core import record_ids, stamp
from fieldsync.core.grants import DECIDERS, PARTNER
from fieldsync.core.units import home_unit, is_within
from fieldsync.linkage import comparison
from fieldsync.replica.node import Node
from fieldsync.reports import definitions, period, table_refresh
from fieldsync.reports.definitions import Report
from fieldsync.reports.period import Period
from fieldsync.review import decisions
from fieldsync.review.conflict_filter import ConflictFilter
from fieldsync.review.decision_log import LoggedDecision, logged_decisions
from fieldsync.schema.model import Schema, Type
from fieldsync.store.contract import SECONDS, IssuedReport, LastSync, Progress, ReportRow, ReportView

OPEN = "in_review"  # the column that says how many of a row's records have an open review
AGREED = "agreed"  # the column that says whether a row may go to another organisation
_SEALED = 4
_DEVICES = (
    "device", "person", "role", "unit", "seen", "silent_days", "sent", "refused", "in_review", "oldest_days", "clock_minutes",
    "state",
)  # fmt: skip


class ReportPeriod(Struct, frozen=True):
    """The month or year that a report is about.

    name: such as 2026-10 or 2026.
    since: its first day.
    until: the day after its last.
    as_at: the reference day for open and overdue entries.
    over: whether it has ended.
    """

    name: str
    since: str
    until: str
    as_at: str
    over: bool


class IssuedAs(Struct, frozen=True):
    """When and by whom a report was issued."""

    at: str
    by: str


class ReportColumn(Struct, frozen=True):
    """A column of a report.

    name: the key of its values in `rows`.
    label: its label, by language.
    kind: the kind of its values: "count", "share", "text", "date" and others.
    """

    name: str
    label: dict[str, str]
    kind: str


class ReportDocument(Struct, frozen=True):
    """A report's figures.

    report: its name.
    label: its label, by language.
    unit: the requested unit; null for all.
    as_of: the completeness of the figures, by office.
    issued: null if not issued.
    rows: each with its columns' names as keys; beside these "late" (what came since the issue, by column), "in_review" (how many of
    its records have an open conflict), "agreed" (whether it may go to another organisation), "hidden" (the columns whose small
    numbers were taken out).
    shared: true if it may leave the organisation; else absent.
    left_out: the number of rows left out; present only then.
    """

    report: str
    label: dict[str, str]
    period: ReportPeriod
    org: str
    unit: str | None
    as_of: list[LastSync]
    issued: IssuedAs | None
    columns: list[ReportColumn]
    rows: list[ReportRow]
    shared: bool | UnsetType = UNSET
    left_out: int | UnsetType = UNSET


class IssuedReports(Struct, frozen=True):
    """The issued reports of a period.

    period: such as 2026-10 or 2026.
    unit: null for all.
    issued: the reports issued now.
    already: the reports issued before.
    """

    period: str
    unit: str | None
    issued: list[str]
    already: list[str]


def make_report(
    node: Node,
    name: str,
    *,
    month: str | None = None,
    year: str | None = None,
    unit: str | None = None,
    seconds: float = SECONDS,
    progress: Progress | None = None,
) -> ReportDocument:
    """Return a report's document: its rows as issued where they were, else as they are. NoReport, Usage, NotFound, ReportFault."""
    report = definitions.find_report(node.home, name)
    definitions.check_types(report, node.schema)
    asked = period.period_of(month, year, node.today())
    if unit is not None:
        _check_unit(node, unit)
    now = count_rows(node, report, asked, unit, seconds, progress)
    with node.store.read() as tx:
        issued = tx.issued_report(report.name, asked.name, unit or "")
        if issued is not None:
            rows = compare_with_issued(report, issued.rows, now, {name: name for name in report.counts})
        else:
            rows = now
            for column, spec in report.header.columns.items():
                if spec.as_issued is not None:
                    source, months = spec.as_issued
                    before = tx.issued_report(report.name, asked.period_before(months).name, unit or "")
                    if before is not None:
                        rows = compare_with_issued(report, before.rows, rows, {column: source}, only=True)
    columns = {
        name: one
        for name, one in report.header.columns.items()
        if not one.only or (one.only == "year") == asked.is_year
    }
    return ReportDocument(
        report=report.name,
        label=report.header.label,
        period=ReportPeriod(asked.name, asked.first_day, asked.end_day, asked.as_at, asked.is_over),
        org=node.org,
        unit=unit,
        as_of=issued.as_of if issued is not None else last_syncs(node, unit),
        issued=None if issued is None else IssuedAs(stamp.time_text(issued.at), issued.by),
        columns=[ReportColumn(name, one.label, one.kind) for name, one in columns.items()],
        rows=rows,
    )


def _check_unit(node: Node, unit: str) -> None:
    with node.store.read() as tx:
        granted = {grant.unit for device in tx.devices() for grant in device.grants}
        known = {home_unit(channel.unit) for channel in tx.channels()} | set(node.units) | granted
    if not any(is_within(one, unit) for one in known):  # zeros would pass for figures
        raise errors.NotFound(reason="unit", unit=unit, known=sorted(known))


# --- counting ---------------------------------------------------------------------------------------------------------


def count_rows(
    node: Node,
    report: Report,
    asked: Period,
    unit: str | None,
    seconds: float = SECONDS,
    progress: Progress | None = None,
) -> list[ReportRow]:
    """Return a report's rows as they are now."""
    if report.header.whole and node.role == PARTNER:
        return []
    figures = node.store.open_report_reader(
        report_views(node.schema), unit,
        sheets=table_refresh.refresh_tables(node, report, progress), environment=node.environment,
    )  # fmt: skip
    try:
        figures.fill_table("period", ("name", "since", "until"), asked.spans())
        if "sync_device" in report.sql:
            figures.fill_table("sync_device", _DEVICES, _device_rows(node, unit))
        if "logged_decision" in report.sql:
            figures.fill_table("logged_decision", LoggedDecision._fields, logged_decisions(node, unit))
        if "suspect" in report.sql:  # pairs that may be one, both ways round
            with node.store.read() as tx:
                pairs = [pair[:2] for pair in tx.open_pairs(comparison.LIKELY)]
            figures.fill_table("suspect", ("a", "b"), [*pairs, *((b, a) for a, b in pairs)])
        facts = {
            "since": asked.first_day, "until": asked.end_day, "as_at": asked.as_at, "month": asked.name, "today": asked.today,
            "unit": unit, "year": asked.name[:4],
        }  # fmt: skip
        columns, rows = figures.run_query(
            report.sql, facts, name=report.name, sealed=report.header.sealed, seconds=seconds
        )
    finally:
        figures.close()
    lacking = [name for name in report.header.columns if name not in columns]
    if lacking:
        raise errors.ReportFault(report=report.name, reason="columns", what=lacking[0])
    return [_row_json(report, dict(zip(columns, row, strict=True))) for row in rows]


def _row_json(report: Report, found: ReportRow) -> ReportRow:
    """Return one row as JSON values; counts are 0 rather than empty."""
    made: ReportRow = {}
    for name, column in report.header.columns.items():
        value = found[name]
        if isinstance(value, bytes):
            value = record_ids.id_text(value) if len(value) == 16 else value.hex()
        if column.kind == "trend":
            value = json.loads(value) if isinstance(value, str) else []
        elif column.kind == "share" and value is not None:
            value = round(value, 1)
        made[name] = value
    for extra in (OPEN, AGREED):
        if found.get(extra) is not None and extra not in made:
            made[extra] = int(found[extra])
    return made


def report_views(schema: Schema) -> Iterable[ReportView]:
    """Return every record type as reports see it."""
    return [_report_view(kind) for kind in schema.types.values()]


def _report_view(kind: Type) -> ReportView:
    fields = [field for field in kind.fields.values() if field.kind != "derived"]
    return ReportView(
        kind.name,
        [field.name for field in fields],
        frozenset(field.name for field in fields if field.type == "ref"),
        frozenset(field.name for field in fields if field.type == "ref" and field.kind == "set"),
        frozenset(field.name for field in fields if field.sensitivity >= _SEALED),
        kind.below,
    )


# --- how far the figures reach ----------------------------------------------------------------------------------------


def last_syncs(node: Node, unit: str | None) -> list[LastSync]:
    """Return when each office's last sync was, as far as this node knows."""
    last: dict[str, int | None] = {}
    with node.store.read() as tx:
        if node.is_laptop:
            synced = max((server.synced for server in tx.servers() if server.synced), default=None)
            last = dict.fromkeys(node.units, synced)
        for device in () if node.is_laptop else tx.devices():
            if device.id == node.device or device.state != "enrolled":
                continue
            for grant in device.grants:
                last[grant.unit] = max(filter(None, (last.get(grant.unit), device.seen)), default=None)
    return [
        LastSync(name, None if at is None else stamp.time_text(at))
        for name, at in sorted(last.items())
        if unit is None or is_within(name, unit) or unit.startswith(f"{name}/")
    ]


def _device_rows(node: Node, unit: str | None) -> Iterable[list[object]]:
    """Yield the devices with how they sync, for the report on it."""
    day, now = 86_400_000, node.clock()
    opened: dict[str, list[float]] = {}
    for item in decisions.list_conflicts(node, ConflictFilter(unit=unit)):
        age = (now - _milliseconds_of(item.since)) / day
        for writer in {head.device for head in item.heads}:
            opened.setdefault(writer, []).append(age)
    with node.store.read() as tx:
        off = {device: amount for _, device, _, _, amount in tx.clock_notes(0)}
        for device in tx.devices():
            units = [grant.unit for grant in device.grants]
            inside = unit is None or any(is_within(one, unit) for one in units)
            if device.id == node.device or device.enrolled is None or not inside:
                continue
            name = device.letters or device.id.hex()
            ages = sorted(opened.get(name, ()))
            seen = device.seen or None
            yield [
                name, device.person, device.grants[0].role if device.grants else "", ", ".join(units),
                None if seen is None else stamp.time_text(seen)[:10],
                (now - (seen or device.enrolled)) // day, device.head, len(tx.refusals(device.id)), len(ages),
                round(ages[len(ages) // 2], 1) if ages else None, off.get(device.id, 0) // 60_000, device.state,
            ]  # fmt: skip


def _milliseconds_of(at: str) -> float:
    import datetime as dt

    return dt.datetime.fromisoformat(at).timestamp() * 1000


# --- months that were issued ------------------------------------------------------------------------------------------


def issue_reports(node: Node, asked: Period, unit: str | None, names: Iterable[str] | None = None) -> IssuedReports:
    """Keep reports of a month or year that is over as they are now, for good. Usage, RoleRefused, UnitRefused."""
    if not asked.is_over:
        raise errors.Usage(reason="not_over", until=asked.end_day)
    if unit is not None:
        _check_unit(node, unit)
        node.may_decide(unit)
    elif node.role not in DECIDERS:
        raise errors.RoleRefused(role=node.role, needs=list(DECIDERS))
    known = definitions.fitting_reports(definitions.available_reports(node.home), node.schema)
    told = IssuedReports(asked.name, unit, [], [])
    for name in known if names is None else names:
        report = known[name]
        if not report.header.issued:
            continue
        with node.store.read() as tx:
            done = tx.issued_report(name, asked.name, unit or "") is not None
        if not done:
            rows = count_rows(node, report, asked, unit)
            one = IssuedReport(name, asked.name, unit or "", node.clock(), node.person, rows, last_syncs(node, unit))
            with node.store.write() as tx:
                done = not tx.put_issued_report(one)
        (told.already if done else told.issued).append(name)
    return told


def compare_with_issued(
    report: Report,
    issued: Iterable[ReportRow],
    now: Iterable[ReportRow],
    sources: Mapping[str, str],
    *,
    only: bool = False,
) -> list[ReportRow]:
    """Return rows with the issued figures in the columns of `sources` (column → issued one), and the difference in "late".

    Issued and late always add up to what is counted now. With `only` the rows are those of now; else those of the issue,
    and after them those that are new.
    """
    keys = report.keys

    def key(row: ReportRow) -> tuple[str, ...]:
        return tuple(json.dumps(row.get(name)) for name in keys)

    old, new = {key(row): row for row in issued}, {key(row): row for row in now}
    made = []
    for at in dict.fromkeys([*(() if only else old), *new]):
        row = dict(new[at] if only or at not in old else old[at])
        late = dict(row.get("late", {}))
        for column, source in sources.items():
            was = old.get(at, {}).get(source) or 0
            counted = new.get(at, {}).get(column) or 0
            row[column] = was
            if counted != was:
                late[column] = counted - was
        if late:
            row["late"] = late
        made.append(row)
    if only:
        for at, was in old.items():
            if at not in new and any(was.get(source) for source in sources.values()):
                gone = {name: was.get(name) for name in keys} | dict.fromkeys(report.counts, 0)
                gone |= {column: was.get(source) or 0 for column, source in sources.items()}
                made.append(gone | {"late": {column: -(was.get(source) or 0) for column, source in sources.items()}})
    return made
