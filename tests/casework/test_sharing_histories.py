"""Random histories: a partner receives only what is shared with it."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from fieldsync import errors
from fieldsync.authority import integrity
from fieldsync.casework import partner_sharing, referrals
from fieldsync.casework.referrals import ReferralRequest
from fieldsync.core import record_ids
from fieldsync.core.state import field_of, project_state, registers
from fieldsync.replica import save
from fieldsync.replica.changes import Changes
from fieldsync.review import decisions
from fieldsync.wire.frames import FrameKind
from tests import cast, directly
from tests.casework import sharing_cast as stage
from tests.casework.sharing_cast import ALBIR, NOOR, PARTNERS
from tests.casework.sharing_nodes import deliver, sharing_template
from tests.cast import JBL, QRD, Clock
from tests.scale import SCALE

__all__ = ["sharing_template"]


class Listening(directly.Direct):
    """A talk of which all frames are overheard."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.heard: list[bytes] = []

    def _pass(self, frame: bytes, codec: Any = None) -> tuple[FrameKind, bytes]:
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
                terms = [term for _, term in tx.digest_terms(channel.n)]
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
        assert integrity.check_integrity(hq).faults == []

    def _expected(self, unit: str) -> dict[bytes, Any]:
        """Work out from whole records what a unit is to have: another way than the store's."""
        everything = cast.rows(self.nodes["hq"])
        wanted: dict[bytes, set[str]] = {}
        live = set()
        for record in self.referrals:
            row = everything[record]
            consent = everything[partner_sharing.reference_id(row.doc, "consent") or b""]
            shown = row.doc["state"] in ("sent", "accepted", "in_progress", "done")
            there = "_deleted" not in everything[partner_sharing.reference_id(row.doc, "person") or b""].doc
            if shown and there and consent.doc["state"] == "given" and unit in row.doc.get("_shared", ()):
                live.add(record_ids.id_text(record))
                wanted[record] = set(partner_sharing.OF_REFERRAL)
                for field, type in (("person", "person"), ("to_org", "organisation")):
                    named = {one.partition(".")[2] for one in row.doc["_shares"] if one.startswith(type)}
                    wanted.setdefault(partner_sharing.reference_id(row.doc, field) or b"", set()).update(named)
        for record in self.services:
            if everything[record].doc["referral"] in live and everything[record].doc["_unit"] == unit:
                wanted[record] = set(partner_sharing.OF_SERVICE)
        return {record: registers(project_state(everything[record].state, fields)) for record, fields in wanted.items()}

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
            made = referrals.refer_record(
                self.nodes[name],
                record_ids.id_text(who),
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
        charity = partner_sharing.reference_id(cast.rows(self.nodes[name])[made].doc, "to_org") or b""
        self.ever[unit, charity] = {"name_ar"}

    @rule(n=st.integers(0, 2), name=st.sampled_from(["amal", "basim"]), field=st.sampled_from(["given", "family"]), m=st.integers(0, 9))  # fmt: skip
    def rename(self, n: int, name: str, field: str, m: int) -> None:
        """Somebody corrects a name: one that may be shared, or one that never is."""
        _, who = self.people[n % len(self.people)]
        self._quietly(lambda: save.edit_record(self.nodes[name], record_ids.id_text(who), Changes(set={field: f"{'Kassab' if field == 'family' else 'ليلى'} {m}"})))  # fmt: skip

    @rule(n=st.integers(0, 2), unit=st.sampled_from([JBL, QRD]))
    def move(self, n: int, unit: str) -> None:
        """Basim moves a family."""
        home, _ = self.people[n % len(self.people)]
        self._quietly(
            lambda: save.edit_record(self.nodes["basim"], record_ids.id_text(home), Changes(set={"location": "Mraid"}))
        )
        from fieldsync.replica import transfer

        self._quietly(lambda: transfer.transfer_record(self.nodes["basim"], record_ids.id_text(home), unit))

    @rule(n=st.integers(0, 2), name=st.sampled_from(["amal", "basim", "samar"]), state=st.sampled_from(["withdrawn", "given"]))  # fmt: skip
    def consent(self, n: int, name: str, state: str) -> None:
        """A consent is withdrawn, or given anew."""
        which = self.consents[n % len(self.consents)]
        self._quietly(
            lambda: save.edit_record(self.nodes[name], record_ids.id_text(which), Changes(set={"state": state}))
        )

    @precondition(lambda self: self.referrals)
    @rule(n=st.integers(0, 9), name=st.sampled_from(["amal", "basim"]))
    def take_back(self, n: int, name: str) -> None:
        """A referral is withdrawn."""
        which = self.referrals[n % len(self.referrals)]
        self._quietly(lambda: referrals.withdraw_referral(self.nodes[name], record_ids.id_text(which)))

    @precondition(lambda self: len(self.people) > 1)
    @rule(name=st.sampled_from(["amal", "basim"]))
    def remove(self, name: str) -> None:
        """The person who was registered first is deleted."""
        self._quietly(
            lambda: save.remove_record(self.nodes[name], record_ids.id_text(self.people[0][1]), "entered twice")
        )

    @rule()
    def settle(self) -> None:
        """Samar settles what is in conflict."""
        samar = self.nodes["samar"]
        for item in decisions.list_conflicts(samar)[:3]:
            head = item.heads[0]
            self._quietly(lambda: decisions.decide_conflict(samar, item.record, item.field, head=head.name))

    # --- the partners ---

    @precondition(lambda self: self.referrals)
    @rule(n=st.integers(0, 9), name=st.sampled_from(sorted(PARTNERS)), state=st.sampled_from(["accepted", "rejected", "done"]))  # fmt: skip
    def answer(self, n: int, name: str, state: str) -> None:
        """A charity answers what it has."""
        which = self.referrals[n % len(self.referrals)]
        why = "no_capacity" if state == "rejected" else None
        self._quietly(lambda: referrals.answer_referral(self.nodes[name], record_ids.id_text(which), state, why=why))

    @precondition(lambda self: self.referrals)
    @rule(n=st.integers(0, 9), name=st.sampled_from(sorted(PARTNERS)))
    def deliver(self, n: int, name: str) -> None:
        """A charity writes down what it gave to somebody who was referred to it."""
        node, which = self.nodes[name], self.referrals[n % len(self.referrals)]
        if which not in stage.held(node):
            return
        who = partner_sharing.reference_id(cast.rows(node)[which].doc, "person") or b""
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
            directly.device_renewal.sync_or_renew(talk)
            talk.check_digests()
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


def test_random_histories_share_nothing_else(template: Path) -> None:
    """Random actions in any order: partners hold shared data only, all nodes agree, nothing is lost."""
    Sharing.template = template
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(
        Sharing,
        settings=settings(
            settings.default, max_examples=5 * SCALE, stateful_step_count=30, phases=(Phase.explicit, Phase.generate)
        ),
    )  # type: ignore[arg-type]
