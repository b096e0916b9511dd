"""Records for units above: reports about an institution go only to the units above it; its operator never learns the reporter."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec import structs

from fieldsync import errors
from fieldsync.authority import integrity
from fieldsync.casework import referrals
from fieldsync.casework.referrals import ReferralRequest
from fieldsync.core import record_ids
from fieldsync.core.grants import Grant, covering_grant, may_see_channel
from fieldsync.core.units import ABOVE, home_unit
from fieldsync.exchange.tables import export_records
from fieldsync.protocol import range_repair
from fieldsync.protocol.bundles import bundle_sync
from fieldsync.replica import commit_writer, history, queries, save, transfer
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from fieldsync.reports import run
from fieldsync.review import decisions
from tests import cast, directly
from tests.casework import sharing_cast as stage
from tests.casework.sharing_cast import ALBIR
from tests.cast import JBL, QRD, Clock
from tests.scale import SCALE

# who sees what is the same on both stores, and the random histories take longest
pytestmark = pytest.mark.parametrize("headquarters_store", ["file"], indirect=True)
HOME = "LAT/JBL/DAR"
OPERATORS = {"dalia": ("caseworker", HOME), "dani": ("supervisor", HOME), "huda": ("partner", ALBIR)}
"""Three ways in which the people of a home may have a laptop."""

NAME, NUMBER = "Bashir Zaytuni", "955667788"

_units = st.lists(st.sampled_from("AB"), min_size=1, max_size=4).map("/".join)
_roles = st.sampled_from(["caseworker", "supervisor", "admin", "auditor", "partner", "branch"])


@given(grants=st.lists(st.builds(Grant, _units, _roles), max_size=4).map(tuple), unit=_units)
def test_the_channel_opens_to_units_above_only(grants: tuple[Grant, ...], unit: str) -> None:
    """Anybody with a role in the unit or below it gets none of it; in the topmost unit, supervisors and admins do."""
    opens = may_see_channel(grants, unit + ABOVE)
    above = [one for one in grants if unit.startswith(one.unit + "/") and one.role != "partner"]
    inside = [one for one in grants if one.unit == unit or one.unit.startswith(unit + "/")]
    if "/" in unit:
        assert opens == (bool(above) and not inside)
    else:
        assert opens == any(g.unit == unit and g.role in ("supervisor", "admin", "branch") for g in inside)
    assert home_unit(unit + ABOVE) == unit


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the cast, a home for children, and its people's laptops, never opened again."""
    home = tmp_path_factory.mktemp("above")
    cast.found_cast(home)
    hq = cast.open_node(home / "hq")
    for name, (role, unit) in OPERATORS.items():
        cast.join_directly(hq, home / name, name.capitalize(), role, [unit])
    hq.close()
    return home


def open_all(home: Path, template: Path, clock: Clock) -> dict[str, Node]:
    """Return all nodes of a copy of it."""
    cast.copy_cast(template, home)
    return {name: cast.open_node(home / name, clock) for name in ("hq", "amal", "basim", "samar", *OPERATORS)}


@pytest.fixture
def nodes(template: Path, tmp_path: Path, clock: Clock) -> Iterator[dict[str, Node]]:
    """Return them, open."""
    opened = open_all(tmp_path, template, clock)
    yield opened
    for node in opened.values():
        node.close()


def institution(node: Node, unit: str = HOME) -> bytes:
    """Write down a home for children."""
    said = {"name_ar": "دار الأمل", "kind": "children", "operator": ALBIR, "location": "Jableh", "capacity": 40}
    return save.add_record(node, "institution", Changes(set=said), unit=unit)


def report(node: Node, about: bytes | str | None, name: str = NAME, number: str = NUMBER) -> bytes:
    """Take down a report of somebody who wants to stay unnamed there."""
    said: dict[str, object] = {
        "institution": record_ids.id_text(about) if isinstance(about, bytes) else about, "seen_on": node.today(), "severity": "high",
        "reporter_kind": "staff", "reporter": name, "reporter_phone": "0" + number,
    }  # fmt: skip
    wanted = Changes(
        set={key: value for key, value in said.items() if value is not None},
        put={"kinds": ["violence"]},
        say={"account": f"{name} saw it"},
    )
    return save.add_record(node, "violation_report", wanted)


def sync(nodes: dict[str, Node], *names: str) -> None:
    """Let these sync with the headquarters, in order; each ends with equal digests, with nothing to heal."""
    for name in names:
        assert directly.sync(nodes[name], nodes["hq"]).healed == 0
        assert directly.differing(nodes[name], nodes["hq"]) == []


def everything(node: Node) -> bytes:
    """Return all that is in a node's store, decrypted, and its search index with it."""
    with node.store.read() as tx:
        tables = [row[0] for row in tx.sql("SELECT name FROM sqlite_master WHERE sql LIKE 'CREATE TABLE%'")]
        cells = [cell for table in tables for row in tx.sql(f"SELECT * FROM [{table}]") for cell in row]
    return b"\n".join(cell if isinstance(cell, bytes) else str(cell).encode() for cell in cells)


def nobody_there_knows(nodes: dict[str, Node], *besides: str) -> None:
    """Assert that no store of the home's people holds the reporter's name or number."""
    for name in OPERATORS:
        if name not in besides:
            held = everything(nodes[name])
            for secret in (NAME, "Bashir", "bashir", "zaytuni", NUMBER):
                assert secret.encode() not in held, (name, secret)


def unit_of(node: Node, record: bytes) -> str:
    """Return the channel that a record is in."""
    row = cast.rows(node)[record]
    with node.store.read() as tx:
        (one,) = row.channels
        return tx.channel(one).unit


def test_the_leak_search_finds_reports_above(nodes: dict[str, Node]) -> None:
    """The search used by these tests does find the report at the units above."""
    told = report(nodes["samar"], institution(nodes["samar"]))
    for secret in (NAME, NUMBER):
        assert secret.encode() in everything(nodes["samar"])
    assert unit_of(nodes["samar"], told) == HOME + ABOVE


def test_a_report_goes_up_and_leaves_its_author_s_laptop(nodes: dict[str, Node]) -> None:
    """Dalia of the home reports a colleague's account; after sync Amal and Samar have it, and no laptop of the home does."""
    home = institution(nodes["samar"])
    sync(nodes, "samar", *OPERATORS, "amal")
    told = report(nodes["dalia"], home)
    assert queries.show(nodes["dalia"], record_ids.id_text(told)).unit == HOME
    sync(nodes, "dalia", "dani", "huda", "amal", "samar", "basim", "dalia")
    for name in OPERATORS:
        assert told not in cast.rows(nodes[name])
    for name in ("amal", "basim", "samar", "hq"):
        assert queries.show(nodes[name], record_ids.id_text(told)).fields["reporter"] == NAME
        assert home in cast.rows(nodes[name])
    nobody_there_knows(nodes, "dalia")
    (left,) = transfer.list_departed(nodes["dalia"])
    assert left.type == "violation_report"  # she is told that it has gone where it belongs


def test_no_operation_brings_a_report_to_the_home(nodes: dict[str, Node], tmp_path: Path) -> None:
    """Conflicts, decisions, bundles, byte budgets, a move of the home and deletion never bring it there."""
    home = institution(nodes["samar"])
    sync(nodes, "samar", *OPERATORS, "amal")
    told = report(nodes["amal"], home)
    sync(nodes, "amal", "samar")
    for name, severity in (("amal", "2026-10-01"), ("samar", "2026-10-02")):
        save.edit_record(
            nodes[name], record_ids.id_text(told), Changes(set={"seen_on": severity}, say={"account": f"{NAME} again"})
        )
    sync(nodes, "amal", "samar", *OPERATORS)
    nobody_there_knows(nodes)
    (item,) = decisions.list_conflicts(nodes["samar"])
    decisions.decide_conflict(nodes["samar"], item.record, item.field, value="2026-10-02")
    sync(nodes, "samar", *OPERATORS)
    file = tmp_path / "stick.fsb"
    for name in OPERATORS:
        bundle_sync.pack_bundle(nodes[name], file)
        bundle_sync.unpack_bundle(nodes["hq"], file)
        with nodes["hq"].store.read() as tx:
            device = tx.device(nodes[name].device)
        assert device is not None
        bundle_sync.pack_reply(nodes["hq"], file, device)
        bundle_sync.unpack_bundle(nodes[name], file)
        directly.sync(nodes[name], nodes["hq"], budget=20_000)
    nobody_there_knows(nodes)
    transfer.transfer_record(nodes["samar"], record_ids.id_text(home), QRD)
    sync(nodes, "samar", *OPERATORS, "basim", "amal")
    assert unit_of(nodes["hq"], told) == QRD + ABOVE  # it goes where the home goes, above
    for name in ("amal", "basim"):
        assert told not in cast.rows(nodes[name])
    transfer.transfer_record(nodes["samar"], record_ids.id_text(home), HOME)
    save.remove_record(nodes["samar"], record_ids.id_text(told), "entered twice")
    sync(nodes, "samar", *OPERATORS, "amal")
    nobody_there_knows(nodes)
    for name in ("dalia", "dani"):
        assert queries.show(nodes[name], record_ids.id_text(home)).fields["residents"] == 0
        assert queries.find(nodes[name], NAME) == []
        with pytest.raises(errors.NoRecord):
            history.history(nodes[name], record_ids.id_text(told))
        out = tmp_path / f"{name}.jsonl"
        export_records.export_records(nodes[name], "violation_report", out)
        assert out.read_bytes() == b""


@pytest.mark.parametrize("about", ["words", None, "unknown"])
def test_a_report_about_an_unknown_home_goes_to_the_topmost_unit(nodes: dict[str, Node], about: str | None) -> None:
    """With a home in words, none or not yet received, the report is in the topmost unit until that is clear."""
    home = institution(nodes["dani"] if about == "unknown" else nodes["samar"])
    if about != "unknown":
        sync(nodes, "samar")
    named: bytes | str | None = home if about == "unknown" else "دار الأمل" if about else None
    told = report(nodes["amal"], named)
    sync(nodes, "amal", "samar")
    assert unit_of(nodes["hq"], told) == "LAT" + ABOVE
    assert told not in cast.rows(nodes["amal"])
    if about == "unknown":
        sync(nodes, "dani")
    else:
        save.edit_record(
            nodes["samar"], record_ids.id_text(told), Changes(set={"institution": record_ids.id_text(home)})
        )
    sync(nodes, "samar", "amal", *OPERATORS)
    assert unit_of(nodes["hq"], told) == unit_of(nodes["amal"], told) == HOME + ABOVE
    nobody_there_knows(nodes)


def test_a_disputed_home_sends_the_report_to_the_topmost_unit(nodes: dict[str, Node]) -> None:
    """While people disagree which home it concerns, only the topmost unit has it."""
    one, other = institution(nodes["samar"]), institution(nodes["samar"], JBL)
    sync(nodes, "samar", "amal")
    told = report(nodes["amal"], None)
    sync(nodes, "amal", "samar")
    save.edit_record(nodes["samar"], record_ids.id_text(told), Changes(set={"institution": record_ids.id_text(other)}))
    sync(nodes, "samar", "amal")
    assert unit_of(nodes["hq"], told) == JBL + ABOVE  # about a home in Amal's own unit: not hers to read
    assert told not in cast.rows(nodes["amal"])
    hq, samar = nodes["hq"], nodes["samar"]
    save.edit_record(hq, record_ids.id_text(told), Changes(set={"institution": record_ids.id_text(one)}))
    save.edit_record(samar, record_ids.id_text(told), Changes(set={"institution": "دار أخرى"}))
    sync(nodes, "samar", "amal", *OPERATORS)
    assert "institution" in cast.rows(hq)[told].conflicts
    assert unit_of(hq, told) == unit_of(samar, told) == "LAT" + ABOVE
    nobody_there_knows(nodes)
    (item,) = decisions.list_conflicts(samar)
    decisions.decide_conflict(samar, item.record, "institution", value=record_ids.id_text(one))
    sync(nodes, "samar", "amal", *OPERATORS)
    assert unit_of(hq, told) == unit_of(nodes["amal"], told) == HOME + ABOVE
    nobody_there_knows(nodes)


def test_a_home_in_two_units_sends_its_reports_to_the_topmost_unit(nodes: dict[str, Node]) -> None:
    """While the home's unit is in conflict, its reports are in the topmost unit, and return once that is settled."""
    home = institution(nodes["samar"])
    told = report(nodes["samar"], home)
    sync(nodes, "samar", "dalia", "amal")
    transfer.transfer_record(nodes["samar"], record_ids.id_text(home), JBL)
    transfer.transfer_record(nodes["hq"], record_ids.id_text(home), QRD)
    sync(nodes, "samar", "amal", "basim", *OPERATORS)
    assert unit_of(nodes["hq"], told) == unit_of(nodes["samar"], told) == "LAT" + ABOVE
    for name in ("amal", "basim", *OPERATORS):
        assert told not in cast.rows(nodes[name])
    (item,) = decisions.list_conflicts(nodes["samar"])
    decisions.decide_conflict(nodes["samar"], item.record, "_unit", value=HOME)
    sync(nodes, "samar", "amal", "basim", *OPERATORS)
    assert unit_of(nodes["hq"], told) == unit_of(nodes["amal"], told) == HOME + ABOVE
    nobody_there_knows(nodes)


def test_range_repair_reveals_no_report(nodes: dict[str, Node]) -> None:
    """A range repair question about a report, in a channel that the home's people see, is answered as for a missing record."""
    told = report(nodes["amal"], None)
    home = institution(nodes["samar"])
    sync(nodes, "amal", "samar")
    save.edit_record(nodes["samar"], record_ids.id_text(told), Changes(set={"institution": record_ids.id_text(home)}))
    sync(nodes, "samar", "dalia")
    talk = directly.Direct(nodes["dalia"], nodes["hq"])
    for unit in (HOME, "LAT/*"):
        frames = range_repair.answer_question(nodes["hq"], range_repair.Ask(unit, (), (told,)), talk.client.codec)
        answer = b"".join(talk.client.codec.open_frame(frame)[1] for frame in frames)
        assert NAME.encode() not in answer
        assert NUMBER.encode() not in answer
    assert not may_see_channel(nodes["dalia"].grants, HOME + ABOVE)  # and to ask in its own channel is refused
    (row,) = run.make_report(nodes["dalia"], "institutions").rows
    assert (row["name"], row["reports"], row["open"]) == ("دار الأمل", 0, 0)
    (row,) = run.make_report(nodes["samar"], "institutions").rows
    assert row["reports"] == 1


def test_a_referral_cannot_share_a_report(nodes: dict[str, Node]) -> None:
    """A referral shares records only of the types it may name; neither a report nor its fields."""
    amal, huda = nodes["amal"], nodes["huda"]
    told = report(nodes["samar"], institution(nodes["samar"]))
    stage.organisation(nodes["samar"], ALBIR, ALBIR)
    sync(nodes, "samar", "amal")
    with pytest.raises(errors.IllegalValue):
        referrals.refer_record(amal, record_ids.id_text(told), ReferralRequest(ALBIR, "see", override="urgent"))
    _, who = stage.family(amal, JBL)
    with pytest.raises(errors.UnknownField):
        stage.refer(amal, who, ALBIR, "violation_report.reporter")
    # and a program that is not ours, of a supervisor's, which writes what ours does not
    samar = nodes["samar"]
    system = {f"_shared/{ALBIR}": True} | {
        f"_shares/violation_report.{name}": True for name in ("reporter", "reporter_phone", "account")
    }
    forged = Changes(set={"person": record_ids.id_text(who), "kind": "charity_help", "from_org": "LAT", "to_org": ALBIR, "reason": "see", "urgency": "routine", "override_reason": "urgent"}, put={"services": ["other"]})  # fmt: skip
    sync(nodes, "amal", "samar")
    with samar.store.write() as tx:
        draft = save.draft_add(samar, tx, "referral", forged, unit=JBL)
        draft.fields.update(system, person=record_ids.id_text(told), state="sent", sent_on=samar.today())
        commit_writer.commit_drafts(samar, tx, [structs.replace(draft, fields=dict(sorted(draft.fields.items())))])
    sync(nodes, "samar", "huda", "huda")
    nobody_there_knows(nodes)
    assert told not in cast.rows(huda)


# --- whatever anybody does --------------------------------------------------------------------------------------------


class Listening(directly.Direct):
    """A talk of which every frame that comes down is kept as it is read."""

    def __init__(self, node: Node, hq: Node, cut: int | None) -> None:
        super().__init__(node, hq, cut)
        self.heard: list[bytes] = []

    def _pass(self, frame: bytes, codec: Any = None) -> Any:
        kind, payload = super()._pass(frame, codec)
        self.heard.append(payload)
        return kind, payload


class Reports(RuleBasedStateMachine):
    """A home for children with its operator's three laptops, those above it, and people who report."""

    template: Path

    @initialize()
    def begin(self) -> None:
        """Set up everything, with one home in a unit of its own and one in an office's."""
        self.home = Path(tempfile.mkdtemp())
        self.clock = Clock()
        self.nodes = open_all(self.home, self.template, self.clock)
        self.homes: list[bytes | str | None] = [
            institution(self.nodes["samar"]), institution(self.nodes["samar"], JBL), "دار الأمل", None,
        ]  # fmt: skip
        self.reports: dict[bytes, str] = {}
        for name in self.nodes:
            if name != "hq":
                directly.sync(self.nodes[name], self.nodes["hq"])

    def teardown(self) -> None:
        """Come to rest: all is with those above, and all stores are whole."""
        if not hasattr(self, "nodes"):
            return
        try:
            laptops = [name for name in self.nodes if name != "hq"]
            for name in laptops * 3:
                self._sync(name)
            for name in laptops:
                assert directly.differing(self.nodes[name], self.nodes["hq"]) == []
                assert self.reports.keys().isdisjoint(cast.rows(self.nodes[name])) or name in ("amal", "basim", "samar")
            assert self.reports.keys() <= cast.rows(self.nodes["samar"]).keys()
            assert integrity.check_integrity(self.nodes["hq"]).faults == []
        finally:
            for node in self.nodes.values():
                node.close()
            shutil.rmtree(self.home)

    @precondition(lambda self: len(self.reports) < 5)
    @rule(name=st.sampled_from(["amal", "basim", "samar", "dalia", "dani"]), n=st.integers(0, 3))
    def report(self, name: str, n: int) -> None:
        """Somebody takes down a report, about a home that is known there or in words."""
        self.clock.tick(1000)
        node, about = self.nodes[name], self.homes[n]
        if isinstance(about, bytes) and about not in cast.rows(node):
            about = "دار الأمل"
        self.reports[report(node, about, f"{name}-{NAME}")] = name

    @precondition(lambda self: self.reports)
    @rule(m=st.integers(0, 4), name=st.sampled_from(["amal", "samar", "hq"]), n=st.integers(0, 3))
    def relate(self, m: int, name: str, n: int) -> None:
        """Somebody above says which home it was."""
        about = self.homes[n]
        value = record_ids.id_text(about) if isinstance(about, bytes) else about
        if value is not None:
            self._edit(m, name, Changes(set={"institution": value}))

    @precondition(lambda self: self.reports)
    @rule(m=st.integers(0, 4), name=st.sampled_from(["amal", "samar", "basim", "dalia"]), day=st.integers(1, 9))
    def add_to_it(self, m: int, name: str, day: int) -> None:
        """Somebody who has it writes more of it."""
        self._edit(m, name, Changes(set={"seen_on": f"2026-10-0{day}"}, say={"account": f"{name}-{NAME}"}))

    @precondition(lambda self: self.reports)
    @rule(m=st.integers(0, 4), name=st.sampled_from(["amal", "samar"]))
    def remove(self, m: int, name: str) -> None:
        """Somebody deletes it."""
        self._quietly(lambda: save.remove_record(self.nodes[name], record_ids.id_text(self._which(m)), "by mistake"))

    @rule()
    def settle(self) -> None:
        """Samar settles what is in conflict."""
        samar = self.nodes["samar"]
        for item in decisions.list_conflicts(samar)[:3]:
            head = item.heads[0]
            self._quietly(lambda: decisions.decide_conflict(samar, item.record, item.field, head=head.name))

    @rule(name=st.sampled_from(["amal", "basim", "samar", *OPERATORS]), cut=st.none() | st.integers(0, 6))
    def sync(self, name: str, cut: int | None) -> None:
        """Somebody syncs; the line may be cut."""
        try:
            self._sync(name, cut)
        except errors.CutOff:
            return

    def _sync(self, name: str, cut: int | None = None) -> None:
        self.clock.tick(1000)
        talk = Listening(self.nodes[name], self.nodes["hq"], cut)
        try:
            directly.device_renewal.sync_or_renew(talk)
            talk.check_digests()
        finally:
            if name in OPERATORS:
                down = b"".join(payload for payload in talk.heard)
                assert not self._foreign(name, down)

    def _foreign(self, name: str, text: bytes) -> bool:
        """Say whether a text names a reporter of whom this laptop's own person has not written."""
        return any(
            f"{other}-{NAME}".encode() in text for other in ("amal", "basim", "samar", "dalia", "dani") if other != name
        )

    def _which(self, m: int) -> bytes:
        return list(self.reports)[m % len(self.reports)]

    def _edit(self, m: int, name: str, changes: Changes) -> None:
        self._quietly(lambda: save.edit_record(self.nodes[name], record_ids.id_text(self._which(m)), changes))

    def _quietly(self, act: Any) -> None:
        self.clock.tick(1000)
        try:
            act()
        except (errors.BadInput, errors.NotFound, errors.Refused, errors.MustDecide):
            return

    @invariant()
    def no_reporter_is_known_there(self) -> None:
        """No laptop of the home's people holds a reporter's name that it did not write itself."""
        if hasattr(self, "nodes"):
            for name in OPERATORS:
                assert not self._foreign(name, stage.raw(self.nodes[name]))


def test_no_reporter_ever_becomes_known_to_the_operator(template: Path) -> None:
    """Random actions in any order, interrupted at any frame, never bring a reporter to the operator."""
    Reports.template = template
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(
        Reports,
        settings=settings(
            settings.default, max_examples=5 * SCALE, stateful_step_count=25, phases=(Phase.explicit, Phase.generate)
        ),
    )  # type: ignore[arg-type]


def test_the_home_s_own_unit_may_write_reports() -> None:
    """A report may be written from the home's own unit, as from any at or above it."""
    assert covering_grant((Grant(HOME, "caseworker"),), home_unit(HOME + ABOVE)) is not None
