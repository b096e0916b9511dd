"""What is shared with a partner reaches it; nothing else ever does, whatever people do in whatever order."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from fieldsync import errors
from fieldsync.authority import integrity
from fieldsync.casework import partner_sharing, referrals
from fieldsync.casework.referrals import ReferralRequest
from fieldsync.core import record_ids
from fieldsync.core.state import field_of, project, registers
from fieldsync.core.units import SHARED
from fieldsync.protocol import range_repair
from fieldsync.protocol.bundles import bundle_sync
from fieldsync.replica import changes, commit_writer, queries, save
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from fieldsync.review import decisions
from fieldsync.wire.frames import Kind
from tests import cast, directly
from tests.casework import sharing_cast as stage
from tests.casework.sharing_cast import ALBIR, NOOR, PARTNERS
from tests.cast import JBL, QRD, Clock


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the cast and two partners, never opened again."""
    home = tmp_path_factory.mktemp("partners")
    found(home)
    return home


def found(home: Path) -> None:
    """Set up the cast and the partners, with both charities known to all."""
    cast.found_cast(home)
    stage.add_partners(home)
    hq, samar = cast.open_node(home / "hq"), cast.open_node(home / "samar")
    for unit in PARTNERS.values():
        stage.organisation(samar, unit, unit)
    laptops = [cast.open_node(home / name) for name in ("amal", "basim")]
    for node in (samar, *laptops):
        directly.sync(node, hq)
    for node in (samar, *laptops, hq):
        node.close()


@pytest.fixture
def nodes(template: Path, tmp_path: Path, clock: Clock) -> Iterator[dict[str, Node]]:
    """Return the cast and two partners, open."""
    opened = stage.open_all(tmp_path, template, clock)
    yield opened
    for node in opened.values():
        node.close()


def sync(nodes: dict[str, Node], *names: str) -> None:
    """Let these sync with the headquarters, in order; each ends with equal digests, with nothing to heal."""
    for name in names:
        assert directly.sync(nodes[name], nodes["hq"]).healed == 0
        assert directly.differing(nodes[name], nodes["hq"]) == []


def shared(nodes: dict[str, Node], name: str = "huda") -> dict[str, set[str]]:
    """Return the fields that a partner holds, by type."""
    with nodes[name].store.read() as tx:
        return {row.state.type: set(map(field_of, registers(row.state))) for row in tx.select()}


def referred(nodes: dict[str, Node], *share: str) -> tuple[bytes, bytes, bytes]:
    """Have Amal refer a person to a charity, and its laptop receive it; return person, consent, referral."""
    _, who = stage.family(nodes["amal"], JBL)
    consent = stage.consent(nodes["amal"], who, ALBIR)
    referral = stage.refer(nodes["amal"], who, ALBIR, *share)
    sync(nodes, "amal", "huda", "noor")
    return who, consent, referral


def deliver(node: Node, who: bytes, referral: bytes, **more: object) -> bytes:
    """Have a partner write down what it gave."""
    said = {
        "person": record_ids.text(who),
        "service_type": "other",
        "provider": node.units[0],
        "given_on": node.today(),
    }
    return save.add(
        node, "service", Changes(set={**said, "referral": record_ids.text(referral), "outcome": "given", **more})
    )


def test_a_partner_has_only_what_is_shared(nodes: dict[str, Node]) -> None:
    """A charity's laptop gets the referral and the fields named in it; the other charity's gets nothing."""
    who, _, referral = referred(nodes, "sex", "household.family_name")
    held = shared(nodes)
    assert held.keys() == {"referral", "person", "household", "organisation"}
    assert held["organisation"] == {"name_ar"}
    assert held["person"] == {"given", "sex"}
    assert held["household"] == {"family_name"}
    assert held["referral"] <= partner_sharing.OF_REFERRAL
    assert {"consent", "override_reason", "_unit", "_shared"}.isdisjoint(held["referral"])
    assert stage.held(nodes["noor"]) == {}
    text = stage.raw(nodes["huda"])
    assert "ليلى".encode() in text
    for secret in (b"Kassab", b"Mraid", b"0944111", "سمير".encode()):
        assert secret not in text
    assert queries.show(nodes["huda"], record_ids.text(who))["code"] is None
    assert queries.show(nodes["huda"], record_ids.text(referral))["unit"] == ALBIR


def test_an_answer_and_what_was_delivered_travel_back(nodes: dict[str, Node]) -> None:
    """The charity accepts and delivers offline; the unit that referred has both, and both sides agree."""
    who, _, referral = referred(nodes)
    referrals.answer(nodes["huda"], record_ids.text(referral), "accepted")
    service = deliver(nodes["huda"], who, referral)
    sync(nodes, "huda", "amal", "huda")
    assert queries.show(nodes["amal"], record_ids.text(referral))["fields"]["state"] == "accepted"
    told = queries.show(nodes["amal"], record_ids.text(service))
    assert (told["fields"]["person"], told["unit"]) == (record_ids.text(who), JBL)
    save.edit(nodes["amal"], record_ids.text(service), Changes(set={"outcome": "partly"}))
    sync(nodes, "amal", "huda")
    assert queries.show(nodes["huda"], record_ids.text(service))["fields"]["outcome"] == "partly"


def test_what_is_not_shared_costs_a_partner_nothing(nodes: dict[str, Node]) -> None:
    """An edit of a field that is not shared does not even move the channel: a partner cannot tell that there was one."""
    who, _, _ = referred(nodes)
    with nodes["hq"].store.read() as tx:
        before = next(channel for channel in tx.channels() if channel.unit == ALBIR + SHARED)
    save.edit(nodes["amal"], record_ids.text(who), Changes(set={"family": "Haddad"}))
    sync(nodes, "amal")
    with nodes["hq"].store.read() as tx:
        assert next(channel for channel in tx.channels() if channel.unit == ALBIR + SHARED) == before
    save.edit(nodes["amal"], record_ids.text(who), Changes(set={"given": "ليلى سمير"}))
    sync(nodes, "amal", "huda")
    assert queries.show(nodes["huda"], record_ids.text(who))["fields"]["given"] == "ليلى سمير"


@pytest.mark.parametrize("way", ["stick", "budget"])
def test_other_ways_bring_no_more(nodes: dict[str, Node], tmp_path: Path, way: str) -> None:
    """By stick and by a sync that may cost little a partner gets the same, and its answer goes up."""
    _, who = stage.family(nodes["amal"], JBL)
    stage.consent(nodes["amal"], who, ALBIR)
    referral = stage.refer(nodes["amal"], who, ALBIR)
    sync(nodes, "amal")
    huda, hq, file = nodes["huda"], nodes["hq"], tmp_path / "stick.fsb"
    for state in ("accepted", "done"):
        if way == "budget":
            directly.sync(huda, hq, budget=8_000)
        else:
            bundle_sync.pack(huda, file)
            bundle_sync.unpack(hq, file)
            with hq.store.read() as tx:
                device = tx.device(huda.device)
            assert device is not None
            bundle_sync.reply(hq, file, device)
            bundle_sync.unpack(huda, file)
        assert shared(nodes)["person"] == {"given"}
        assert b"Kassab" not in stage.raw(huda)
        referrals.answer(huda, record_ids.text(referral), state)
    sync(nodes, "huda", "amal")
    assert queries.show(nodes["amal"], record_ids.text(referral))["fields"]["state"] == "done"


@pytest.mark.parametrize("how", ["referral", "consent", "deleted", "person"])
def test_what_is_taken_back_leaves_the_partner(nodes: dict[str, Node], how: str) -> None:
    """A withdrawn referral, a withdrawn consent, a deleted referral or person: it leaves, once what the partner wrote is acknowledged."""
    who, consent, referral = referred(nodes)
    referrals.answer(nodes["huda"], record_ids.text(referral), "accepted")
    service = deliver(nodes["huda"], who, referral)
    if how == "referral":
        referrals.withdraw(nodes["amal"], record_ids.text(referral))
    elif how == "consent":
        referrals.withdraw_consent(nodes["amal"], record_ids.text(consent))
    else:
        removed = {"deleted": referral, "person": who}[how]
        save.remove(nodes["amal"], record_ids.text(removed), "entered twice")
    sync(nodes, "amal")
    tally = directly.sync(nodes["huda"], nodes["hq"])
    assert tally.refused == 0
    sync(nodes, "huda")
    assert stage.held(nodes["huda"]) == {}
    sync(nodes, "amal")
    assert service in stage.held(nodes["amal"])  # what was given was given
    if how == "referral":
        shown = queries.show(nodes["amal"], record_ids.text(referral))
        assert "state" in shown["conflicts"]  # accepted there, taken back here: a person looks


def test_it_comes_back_with_a_new_referral(nodes: dict[str, Node]) -> None:
    """What had left comes again whole, the partner's own service too, when the same referral stands again."""
    who, consent, referral = referred(nodes)
    service = deliver(nodes["huda"], who, referral)
    sync(nodes, "huda")
    referrals.withdraw_consent(nodes["amal"], record_ids.text(consent))
    sync(nodes, "amal", "huda")
    assert stage.held(nodes["huda"]) == {}
    save.edit(nodes["amal"], record_ids.text(consent), Changes(set={"state": "given"}))
    sync(nodes, "amal", "huda")
    assert {who, referral, service} <= stage.held(nodes["huda"]).keys()


# --- consent ----------------------------------------------------------------------------------------------------------


def test_a_withdrawn_consent_stops_a_referral_here(nodes: dict[str, Node]) -> None:
    """Where the withdrawal is known, no new referral is even saved, and the reason is said."""
    who, consent, _ = referred(nodes)
    referrals.withdraw_consent(nodes["amal"], record_ids.text(consent))
    before = stage.held(nodes["amal"])
    with pytest.raises(errors.ConsentNeeded) as caught:
        stage.refer(nodes["amal"], who, ALBIR)
    assert caught.value.facts["reason"] == "withdrawn"
    assert stage.held(nodes["amal"]) == before


def test_a_referral_made_before_the_news_is_kept_aside(nodes: dict[str, Node]) -> None:
    """Basim refers offline under a consent that Amal has seen withdrawn: his sending waits with its reason, nothing is shared."""
    _, who = stage.family(nodes["amal"], JBL)
    consent = stage.consent(nodes["amal"], who, ALBIR)
    sync(nodes, "amal", "basim")
    referrals.withdraw_consent(nodes["amal"], record_ids.text(consent))
    sync(nodes, "amal")
    referral = stage.refer(nodes["basim"], who, ALBIR)
    directly.sync(nodes["basim"], nodes["hq"])
    assert [one["code"] for one in queries.status(nodes["basim"])["refused"]] == ["consent_needed"]
    sync(nodes, "huda", "basim", "amal")
    assert stage.held(nodes["huda"]) == {}
    assert queries.show(nodes["basim"], record_ids.text(referral))["fields"]["state"] == "draft"
    assert [one["id"] for one in referrals.referrals(nodes["basim"], unanswered=True)] == [record_ids.text(referral)]


def test_sharing_so_far_is_listed(nodes: dict[str, Node]) -> None:
    """What was shared with whom, since when, under which consent stays on the list when it is taken back."""
    who, consent, referral = referred(nodes, "sex")
    referrals.withdraw_consent(nodes["amal"], record_ids.text(consent))
    (told,) = referrals.shared_of(nodes["amal"], record_ids.text(who))
    assert (told["referral"], told["unit"], told["consent"]) == (
        record_ids.text(referral),
        ALBIR,
        record_ids.text(consent),
    )
    assert told["fields"] == ["organisation.name_ar", "person.given", "person.sex"]
    assert (told["consent_state"], told["shared"], told["by"]) == ("withdrawn", False, "Amal")


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"purpose": "photo"}, "missing"),
        ({"expires_on": "2026-01-01", "given_on": "2025-12-01"}, "expired"),
        ({"state": "refused"}, "refused"),
    ],
)
def test_a_consent_must_cover_it(nodes: dict[str, Node], said: dict[str, Any], reason: str) -> None:
    """A consent for something else, one that has run out, one that was refused: each is said."""
    _, who = stage.family(nodes["amal"], JBL)
    stage.consent(nodes["amal"], who, ALBIR, **said)
    with pytest.raises(errors.ConsentNeeded) as caught:
        stage.refer(nodes["amal"], who, ALBIR)
    assert caught.value.facts["reason"] == reason


def test_a_consent_names_the_organisation(nodes: dict[str, Node]) -> None:
    """A consent for one charity is none for another."""
    _, who = stage.family(nodes["amal"], JBL)
    stage.consent(nodes["amal"], who, NOOR)
    with pytest.raises(errors.ConsentNeeded) as caught:
        stage.refer(nodes["amal"], who, ALBIR)
    assert caught.value.facts["reason"] == "organisation"


def test_an_override_is_a_supervisor_s(nodes: dict[str, Node]) -> None:
    """A supervisor may do without a consent, saying why; a case worker may not, nor with a tampered laptop."""
    _, who = stage.family(nodes["amal"], JBL)
    sync(nodes, "amal", "samar")
    with pytest.raises(errors.RoleRefused):
        stage.refer(nodes["amal"], who, ALBIR, override="in danger")
    referral = stage.refer(nodes["samar"], who, ALBIR, override="in danger")
    sync(nodes, "samar", "huda")
    assert referral in stage.held(nodes["huda"])
    amal = nodes["amal"]
    forged = amal.new_id()
    said = {"person": record_ids.text(who), "kind": "charity_help", "from_org": "x", "to_org": ALBIR, "services": ["other"], "urgency": "routine", "reason": "x"}  # fmt: skip
    write_raw(amal, "referral", forged, {**said, "_unit": JBL, "_code": save_code(amal), "state": "sent", "override_reason": "x", "_shared": [ALBIR]})  # fmt: skip
    bare = amal.new_id()
    write_raw(amal, "referral", bare, {**said, "_unit": JBL, "_code": save_code(amal), "state": "draft"})
    write_raw(amal, "referral", bare, {"state": "sent", f"_shared/{ALBIR}": True})
    directly.sync(amal, nodes["hq"])
    assert [one["code"] for one in queries.status(amal)["refused"]] == ["role_refused", "consent_needed"]
    sync(nodes, "huda")
    assert stage.held(nodes["huda"]).keys().isdisjoint({forged, bare})


@pytest.mark.parametrize("first", ["given", "withdrawn"])
def test_withdrawn_beats_given(nodes: dict[str, Node], clock: Clock, first: str) -> None:
    """Given anew on one laptop, withdrawn on another, at whatever time: it is withdrawn on all, and shared with nobody."""
    _, consent, _ = referred(nodes)
    sync(nodes, "basim")
    referrals.withdraw_consent(nodes["amal"], record_ids.text(consent))
    sync(nodes, "amal", "basim")
    clock.tick(60_000 if first == "given" else -60_000)
    save.edit(nodes["basim"], record_ids.text(consent), Changes(set={"state": "given"}))
    clock.tick(-120_000 if first == "given" else 120_000)
    save.edit(nodes["amal"], record_ids.text(consent), Changes(set={"state": "given"}))
    save.edit(nodes["amal"], record_ids.text(consent), Changes(set={"state": "withdrawn"}))
    sync(nodes, *(("basim", "amal") if first == "given" else ("amal", "basim")), "basim", "amal", "huda")
    for name in ("hq", "amal", "basim"):
        assert queries.show(nodes[name], record_ids.text(consent))["fields"]["state"] == "withdrawn"
    assert stage.held(nodes["huda"]) == {}


# --- a partner that wants more ----------------------------------------------------------------------------------------


def save_code(node: Node) -> str:
    """Return the next code of a laptop."""
    with node.store.write() as tx:
        return commit_writer.next_code(node, tx, JBL)[0]


def write_raw(node: Node, type: str, record: bytes, fields: dict[str, Any], seen: Any = ()) -> None:
    """Write what no command would, as a tampered laptop may."""
    with node.store.write() as tx:
        form = node.schema.type(type).version
        commit_writer.commit_drafts(
            node, tx, [changes.Draft(record, type, form, dict(sorted(fields.items())), dict(seen))]
        )


def test_a_partner_writes_nothing_else(nodes: dict[str, Node]) -> None:
    """At the keyboard and with a tampered laptop: no other field, no other record, no other state, nothing for others' people."""
    who, _, referral = referred(nodes)
    huda = nodes["huda"]
    for attempt in (
        lambda: save.edit(huda, record_ids.text(who), Changes(set={"given": "x"})),
        lambda: save.edit(huda, record_ids.text(referral), Changes(set={"reason": "x"})),
        lambda: save.edit(huda, record_ids.text(referral), Changes(set={"state": "revoked"})),
        lambda: save.remove(huda, record_ids.text(referral), "no more"),
        lambda: save.add(huda, "household", Changes(set={"family_name": "x"})),
    ):
        with pytest.raises(errors.RoleRefused):
            attempt()
    _, other = stage.family(nodes["amal"], JBL)
    sync(nodes, "amal")
    before = stage.held(nodes["hq"])
    bad: list[tuple[str, bytes, dict[str, Any]]] = [
        ("person", who, {"given": "x"}),
        ("referral", referral, {"_shares/person.family": True}),
        ("referral", referral, {"_shared/LAT/NOOR": True}),
        ("referral", referral, {"state": "revoked"}),
        ("person", other, {"given": "x"}),
        ("person", huda.new_id(), {"given": "x", "_unit": ALBIR, "_code": "ALBIR-E-9-XX"}),
    ]
    delivery = {
        "_unit": ALBIR, "_code": "ALBIR-E-7-5N", "service_type": "other", "provider": ALBIR, "given_on": huda.today(),
        "outcome": "given",
    }  # fmt: skip
    bad += [
        ("service", huda.new_id(), {**delivery, "person": record_ids.text(other), "referral": record_ids.text(referral)}),
        ("service", huda.new_id(), {**delivery, "person": record_ids.text(huda.new_id()), "referral": record_ids.text(referral)}),
        ("service", huda.new_id(), {**delivery, "person": record_ids.text(who)}),
        ("service", huda.new_id(), {**delivery, "_unit": JBL, "person": record_ids.text(who), "referral": record_ids.text(referral)}),
    ]  # fmt: skip
    for type, record, fields in bad:
        write_raw(huda, type, record, fields)
    tally = directly.sync(huda, nodes["hq"])
    assert tally.refused == len(bad)
    assert stage.held(nodes["hq"]) == before
    told = queries.status(huda)["refused"]
    codes = [one["code"] for one in told[-len(bad) :]]
    assert codes[4] == codes[5] == "role_refused"
    assert codes[6] == codes[7] == "no_record"  # of somebody else's person as of one that there is not
    sync(nodes, "huda", "amal", "noor")


def test_asking_by_id_tells_nothing(nodes: dict[str, Node]) -> None:
    """Healing questions about other people's records are answered as those about none, and shared ones come cut down."""
    who, _, _ = referred(nodes)
    home, other = stage.family(nodes["amal"], JBL)
    sync(nodes, "amal")
    talk = directly.Direct(nodes["huda"], nodes["hq"])
    ask = range_repair.Ask(ALBIR + SHARED, (), (other, home, bytes(16)))
    frames = list(range_repair.answer(nodes["hq"], ask, talk.client.codec))
    nobody = list(
        range_repair.answer(nodes["hq"], range_repair.Ask(ALBIR + SHARED, (), (bytes(16),)), talk.client.codec)
    )
    assert frames == nobody
    told = b"".join(
        talk.client.codec.open(frame)[1]
        for frame in range_repair.answer(nodes["hq"], range_repair.Ask(ALBIR + SHARED, (), (who,)), talk.client.codec)
    )
    assert "ليلى".encode() in told
    assert b"Kassab" not in told


# --- whatever people do -----------------------------------------------------------------------------------------------


class Listening(directly.Direct):
    """A talk of which all frames are overheard."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.heard: list[bytes] = []

    def _pass(self, frame: bytes, codec: Any = None) -> tuple[Kind, bytes]:
        passed = super()._pass(frame, codec)
        self.heard.append(passed[1])
        return passed


OPEN = ("given", "sex", "birth_date")


class Sharing(RuleBasedStateMachine):
    """Two units, two charities; families that move, referrals, answers, deliveries, withdrawals; lines that are cut."""

    template: Path

    @initialize()
    def begin(self) -> None:
        """Start with the cast and one family with a consent for both charities."""
        self.home = Path(tempfile.mkdtemp(prefix="fieldsync-sharing-"))
        self.clock = Clock()
        self.nodes = stage.open_all(self.home, self.template, self.clock)
        self.people: list[tuple[bytes, bytes]] = []
        self.consents: list[bytes] = []
        self.referrals: list[bytes] = []
        self.services: list[bytes] = []
        self.ever: dict[tuple[str, bytes], set[str]] = {}  # unit, record → fields that were ever to be shared with it
        self.family()
        for name in ("amal", "basim", "samar", "huda", "noor"):
            directly.sync(self.nodes[name], self.nodes["hq"])

    def teardown(self) -> None:
        """All sync until nobody has anything to say: equal digests, what partners hold is just what is shared, nothing is lost."""
        if not hasattr(self, "nodes"):
            return
        try:
            self._calm()
        finally:
            for node in self.nodes.values():
                node.close()
            shutil.rmtree(self.home)

    def _calm(self) -> None:
        laptops = [name for name in self.nodes if name != "hq"]
        for _ in range(3):
            for name in laptops:
                self._sync(name)
        hq = self.nodes["hq"]
        for name in laptops:
            assert directly.differing(self.nodes[name], hq) == []
        with hq.store.read() as tx:
            for channel in tx.channels():
                terms = [term for _, term in tx.terms(channel.n)]
                assert (sum(terms) % 2**64, len(terms)) == (channel.digest, channel.records)
            heads = {one.id: one.head for one in tx.devices()}
            refused = {one.id: tx.refusals(one.id) for one in tx.devices()}
            assert set(self.services) == set(tx.rows(self.services))
        for name, unit in PARTNERS.items():
            node = self.nodes[name]
            held = {record: registers(row.state) for record, row in cast.rows(node).items()}
            assert held == self._expected(unit)
            with node.store.read() as tx:
                me = tx.device(node.device)
            assert me is not None
            assert me.head == heads[node.device]  # every commit is held
            assert refused[node.device] == []  # and applied: each was about what was shared when it was made
        assert integrity.check(hq)["faults"] == []

    def _expected(self, unit: str) -> dict[bytes, Any]:
        """Work out from whole records what a unit is to have: another way than the store's."""
        everything = cast.rows(self.nodes["hq"])
        wanted: dict[bytes, set[str]] = {}
        live = set()
        for record in self.referrals:
            row = everything[record]
            consent = everything[partner_sharing.ref(row.doc, "consent") or b""]
            shown = row.doc["state"] in ("sent", "accepted", "in_progress", "done")
            there = "_deleted" not in everything[partner_sharing.ref(row.doc, "person") or b""].doc
            if shown and there and consent.doc["state"] == "given" and unit in row.doc.get("_shared", ()):
                live.add(record_ids.text(record))
                wanted[record] = set(partner_sharing.OF_REFERRAL)
                for field, type in (("person", "person"), ("to_org", "organisation")):
                    named = {one.partition(".")[2] for one in row.doc["_shares"] if one.startswith(type)}
                    wanted.setdefault(partner_sharing.ref(row.doc, field) or b"", set()).update(named)
        for record in self.services:
            if everything[record].doc["referral"] in live and everything[record].doc["_unit"] == unit:
                wanted[record] = set(partner_sharing.OF_SERVICE)
        return {record: registers(project(everything[record].state, fields)) for record, fields in wanted.items()}

    # --- the office ---

    @precondition(lambda self: len(self.people) < 3)
    @rule()
    def family(self) -> None:
        """Amal registers a family, with a consent for both charities."""
        amal = self.nodes["amal"]
        self.people.append(stage.family(amal, JBL))
        self.consents.append(stage.consent(amal, self.people[-1][1], ALBIR, NOOR))

    @rule(n=st.integers(0, 2), name=st.sampled_from(["amal", "basim"]), unit=st.sampled_from([ALBIR, NOOR]), share=st.sets(st.sampled_from(OPEN), min_size=1))  # fmt: skip
    def refer(self, n: int, name: str, unit: str, share: set[str]) -> None:
        """A case worker refers somebody."""
        _, who = self.people[n % len(self.people)]
        try:
            made = referrals.refer(
                self.nodes[name],
                record_ids.text(who),
                ReferralRequest(unit, "a stove", services=["other"], share=sorted(share)),
            )
        except (errors.ConsentNeeded, errors.NoRecord):
            return
        except errors.IllegalValue as refused:  # nobody who was removed is referred
            assert refused.facts["reason"] == "was_removed"
            return
        self.referrals.append(made)
        self.ever.setdefault((unit, who), set()).update(share)
        self.ever[unit, made] = set(partner_sharing.OF_REFERRAL)
        charity = partner_sharing.ref(cast.rows(self.nodes[name])[made].doc, "to_org") or b""
        self.ever[unit, charity] = {"name_ar"}

    @rule(n=st.integers(0, 2), name=st.sampled_from(["amal", "basim"]), field=st.sampled_from(["given", "family"]), m=st.integers(0, 9))  # fmt: skip
    def rename(self, n: int, name: str, field: str, m: int) -> None:
        """Somebody corrects a name: one that may be shared, or one that never is."""
        _, who = self.people[n % len(self.people)]
        self._quietly(lambda: save.edit(self.nodes[name], record_ids.text(who), Changes(set={field: f"{'Kassab' if field == 'family' else 'ليلى'} {m}"})))  # fmt: skip

    @rule(n=st.integers(0, 2), unit=st.sampled_from([JBL, QRD]))
    def move(self, n: int, unit: str) -> None:
        """Basim moves a family."""
        home, _ = self.people[n % len(self.people)]
        self._quietly(lambda: save.edit(self.nodes["basim"], record_ids.text(home), Changes(set={"location": "Mraid"})))
        from fieldsync.replica import transfer

        self._quietly(lambda: transfer.move(self.nodes["basim"], record_ids.text(home), unit))

    @rule(n=st.integers(0, 2), name=st.sampled_from(["amal", "basim", "samar"]), state=st.sampled_from(["withdrawn", "given"]))  # fmt: skip
    def consent(self, n: int, name: str, state: str) -> None:
        """A consent is withdrawn, or given anew."""
        which = self.consents[n % len(self.consents)]
        self._quietly(lambda: save.edit(self.nodes[name], record_ids.text(which), Changes(set={"state": state})))

    @precondition(lambda self: self.referrals)
    @rule(n=st.integers(0, 9), name=st.sampled_from(["amal", "basim"]))
    def take_back(self, n: int, name: str) -> None:
        """A referral is withdrawn."""
        which = self.referrals[n % len(self.referrals)]
        self._quietly(lambda: referrals.withdraw(self.nodes[name], record_ids.text(which)))

    @precondition(lambda self: len(self.people) > 1)
    @rule(name=st.sampled_from(["amal", "basim"]))
    def remove(self, name: str) -> None:
        """The person who was registered first is deleted."""
        self._quietly(lambda: save.remove(self.nodes[name], record_ids.text(self.people[0][1]), "entered twice"))

    @rule()
    def settle(self) -> None:
        """Samar settles what is in conflict."""
        samar = self.nodes["samar"]
        for item in decisions.items(samar)[:3]:
            head = item["heads"][0]
            self._quietly(
                lambda: decisions.take(samar, item["record"], item["field"], head=f"{head['device']}:{head['seq']}")
            )

    # --- the partners ---

    @precondition(lambda self: self.referrals)
    @rule(n=st.integers(0, 9), name=st.sampled_from(sorted(PARTNERS)), state=st.sampled_from(["accepted", "rejected", "done"]))  # fmt: skip
    def answer(self, n: int, name: str, state: str) -> None:
        """A charity answers what it has."""
        which = self.referrals[n % len(self.referrals)]
        why = "no_capacity" if state == "rejected" else None
        self._quietly(lambda: referrals.answer(self.nodes[name], record_ids.text(which), state, why=why))

    @precondition(lambda self: self.referrals)
    @rule(n=st.integers(0, 9), name=st.sampled_from(sorted(PARTNERS)))
    def deliver(self, n: int, name: str) -> None:
        """A charity writes down what it gave to somebody who was referred to it."""
        node, which = self.nodes[name], self.referrals[n % len(self.referrals)]
        if which not in stage.held(node):
            return
        who = partner_sharing.ref(cast.rows(node)[which].doc, "person") or b""
        made = deliver(node, who, which)
        self.services.append(made)
        self.ever[node.units[0], made] = set(partner_sharing.OF_SERVICE)

    # --- the line ---

    @rule(name=st.sampled_from(["amal", "basim", "samar", "huda", "noor"]), cut=st.none() | st.integers(0, 6))
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
            directly.device_renewal.run(talk)
            talk.check()
        finally:
            if name in PARTNERS:
                for heard in talk.heard:
                    assert not any(secret.encode() in heard for secret in stage.SECRETS)

    def _quietly(self, act: Any) -> None:
        """Do what may be refused for a reason that a person is told."""
        self.clock.tick(1000)
        try:
            act()
        except (errors.BadInput, errors.NotFound, errors.Refused, errors.MustDecide):
            return

    @invariant()
    def nothing_else_reaches_a_partner(self) -> None:
        """A charity's store holds no register of a field that nobody shared with its unit, and none of their words."""
        if not hasattr(self, "nodes"):
            return
        for name, unit in PARTNERS.items():
            for record, names in stage.held(self.nodes[name]).items():
                assert set(map(field_of, names)) <= self.ever.get((unit, record), set())
            text = stage.raw(self.nodes[name])
            assert not any(secret.encode() in text for secret in stage.SECRETS)


def test_nothing_else_ever_reaches_a_partner(template: Path) -> None:
    """Whatever people do in whatever order: partners hold what is shared and nothing else, all agree, nothing is lost."""
    Sharing.template = template
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(
        Sharing,
        settings=settings(
            settings.default, max_examples=12, stateful_step_count=30, phases=(Phase.explicit, Phase.generate)
        ),
    )  # type: ignore[arg-type]
