"""Sharing: a partner receives exactly what is shared with it, in any order of actions."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fieldsync import errors
from fieldsync.casework import partner_sharing, referrals
from fieldsync.core import record_ids
from fieldsync.core.state import field_of, registers
from fieldsync.core.units import SHARED
from fieldsync.protocol import range_repair
from fieldsync.protocol.bundles import bundle_sync
from fieldsync.replica import changes, commit_writer, queries, save
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from tests import directly
from tests.casework import sharing_cast as stage
from tests.casework.sharing_cast import ALBIR, NOOR
from tests.casework.sharing_nodes import deliver, sharing_template
from tests.cast import JBL, Clock

__all__ = ["sharing_template"]


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
        return {row.state.type: set(map(field_of, registers(row.state))) for row in tx.select_rows()}


def referred(nodes: dict[str, Node], *share: str) -> tuple[bytes, bytes, bytes]:
    """Have Amal refer a person to a charity, and its laptop receive it; return person, consent, referral."""
    _, who = stage.family(nodes["amal"], JBL)
    consent = stage.consent(nodes["amal"], who, ALBIR)
    referral = stage.refer(nodes["amal"], who, ALBIR, *share)
    sync(nodes, "amal", "huda", "noor")
    return who, consent, referral


def test_a_partner_gets_only_shared_fields(nodes: dict[str, Node]) -> None:
    """A charity's laptop gets the referral and its named fields; the other charity's gets nothing."""
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
    assert queries.show(nodes["huda"], record_ids.id_text(who)).code is None
    assert queries.show(nodes["huda"], record_ids.id_text(referral)).unit == ALBIR


def test_answers_and_deliveries_travel_back(nodes: dict[str, Node]) -> None:
    """The charity accepts and delivers offline; the referring unit gets both, and the digests match."""
    who, _, referral = referred(nodes)
    referrals.answer_referral(nodes["huda"], record_ids.id_text(referral), "accepted")
    service = deliver(nodes["huda"], who, referral)
    sync(nodes, "huda", "amal", "huda")
    assert queries.show(nodes["amal"], record_ids.id_text(referral)).fields["state"] == "accepted"
    told = queries.show(nodes["amal"], record_ids.id_text(service))
    assert (told.fields["person"], told.unit) == (record_ids.id_text(who), JBL)
    save.edit_record(nodes["amal"], record_ids.id_text(service), Changes(set={"outcome": "partly"}))
    sync(nodes, "amal", "huda")
    assert queries.show(nodes["huda"], record_ids.id_text(service)).fields["outcome"] == "partly"


def test_edits_of_unshared_fields_are_invisible_to_a_partner(nodes: dict[str, Node]) -> None:
    """Such an edit does not even advance the channel."""
    who, _, _ = referred(nodes)
    with nodes["hq"].store.read() as tx:
        before = next(channel for channel in tx.channels() if channel.unit == ALBIR + SHARED)
    save.edit_record(nodes["amal"], record_ids.id_text(who), Changes(set={"family": "Haddad"}))
    sync(nodes, "amal")
    with nodes["hq"].store.read() as tx:
        assert next(channel for channel in tx.channels() if channel.unit == ALBIR + SHARED) == before
    save.edit_record(nodes["amal"], record_ids.id_text(who), Changes(set={"given": "ليلى سمير"}))
    sync(nodes, "amal", "huda")
    assert queries.show(nodes["huda"], record_ids.id_text(who)).fields["given"] == "ليلى سمير"


@pytest.mark.parametrize("way", ["stick", "budget"])
def test_bundles_and_byte_budgets_share_no_more(nodes: dict[str, Node], tmp_path: Path, way: str) -> None:
    """A partner gets the same by bundle and with a byte budget, and its answers go up."""
    _, who = stage.family(nodes["amal"], JBL)
    stage.consent(nodes["amal"], who, ALBIR)
    referral = stage.refer(nodes["amal"], who, ALBIR)
    sync(nodes, "amal")
    huda, hq, file = nodes["huda"], nodes["hq"], tmp_path / "stick.fsb"
    for state in ("accepted", "done"):
        if way == "budget":
            directly.sync(huda, hq, budget=8_000)
        else:
            bundle_sync.pack_bundle(huda, file)
            bundle_sync.unpack_bundle(hq, file)
            with hq.store.read() as tx:
                device = tx.device(huda.device)
            assert device is not None
            bundle_sync.pack_reply(hq, file, device)
            bundle_sync.unpack_bundle(huda, file)
        assert shared(nodes)["person"] == {"given"}
        assert b"Kassab" not in stage.raw(huda)
        referrals.answer_referral(huda, record_ids.id_text(referral), state)
    sync(nodes, "huda", "amal")
    assert queries.show(nodes["amal"], record_ids.id_text(referral)).fields["state"] == "done"


@pytest.mark.parametrize("how", ["referral", "consent", "deleted", "person"])
def test_a_withdrawn_referral_leaves_the_partner(nodes: dict[str, Node], how: str) -> None:
    """A withdrawn or deleted referral, consent or person leaves once the partner's commits are acknowledged."""
    who, consent, referral = referred(nodes)
    referrals.answer_referral(nodes["huda"], record_ids.id_text(referral), "accepted")
    service = deliver(nodes["huda"], who, referral)
    if how == "referral":
        referrals.withdraw_referral(nodes["amal"], record_ids.id_text(referral))
    elif how == "consent":
        referrals.withdraw_consent(nodes["amal"], record_ids.id_text(consent))
    else:
        removed = {"deleted": referral, "person": who}[how]
        save.remove_record(nodes["amal"], record_ids.id_text(removed), "entered twice")
    sync(nodes, "amal")
    tally = directly.sync(nodes["huda"], nodes["hq"])
    assert tally.refused == 0
    sync(nodes, "huda")
    assert stage.held(nodes["huda"]) == {}
    sync(nodes, "amal")
    assert service in stage.held(nodes["amal"])  # what was given was given
    if how == "referral":
        shown = queries.show(nodes["amal"], record_ids.id_text(referral))
        assert "state" in shown.conflicts  # accepted there, taken back here: a person looks


def test_shared_records_return_with_a_renewed_referral(nodes: dict[str, Node]) -> None:
    """They return complete, with the partner's own service."""
    who, consent, referral = referred(nodes)
    service = deliver(nodes["huda"], who, referral)
    sync(nodes, "huda")
    referrals.withdraw_consent(nodes["amal"], record_ids.id_text(consent))
    sync(nodes, "amal", "huda")
    assert stage.held(nodes["huda"]) == {}
    save.edit_record(nodes["amal"], record_ids.id_text(consent), Changes(set={"state": "given"}))
    sync(nodes, "amal", "huda")
    assert {who, referral, service} <= stage.held(nodes["huda"]).keys()


# --- consent ----------------------------------------------------------------------------------------------------------


def test_a_withdrawn_consent_prevents_a_referral(nodes: dict[str, Node]) -> None:
    """Where the withdrawal is known, no new referral can be saved, and the reason is given."""
    who, consent, _ = referred(nodes)
    referrals.withdraw_consent(nodes["amal"], record_ids.id_text(consent))
    before = stage.held(nodes["amal"])
    with pytest.raises(errors.ConsentNeeded) as caught:
        stage.refer(nodes["amal"], who, ALBIR)
    assert caught.value.facts["reason"] == "withdrawn"
    assert stage.held(nodes["amal"]) == before


def test_a_referral_under_a_withdrawn_consent_is_quarantined(nodes: dict[str, Node]) -> None:
    """Basim refers offline under a consent withdrawn elsewhere: quarantined with the reason, nothing is shared."""
    _, who = stage.family(nodes["amal"], JBL)
    consent = stage.consent(nodes["amal"], who, ALBIR)
    sync(nodes, "amal", "basim")
    referrals.withdraw_consent(nodes["amal"], record_ids.id_text(consent))
    sync(nodes, "amal")
    referral = stage.refer(nodes["basim"], who, ALBIR)
    directly.sync(nodes["basim"], nodes["hq"])
    assert [one["code"] for one in queries.status(nodes["basim"]).refused] == ["consent_needed"]
    sync(nodes, "huda", "basim", "amal")
    assert stage.held(nodes["huda"]) == {}
    assert queries.show(nodes["basim"], record_ids.id_text(referral)).fields["state"] == "draft"
    assert [one.id for one in referrals.list_referrals(nodes["basim"], unanswered=True)] == [
        record_ids.id_text(referral)
    ]


def test_past_sharing_is_listed(nodes: dict[str, Node]) -> None:
    """The list keeps the data, partner, date and consent after a withdrawal."""
    who, consent, referral = referred(nodes, "sex")
    referrals.withdraw_consent(nodes["amal"], record_ids.id_text(consent))
    (told,) = referrals.list_shared(nodes["amal"], record_ids.id_text(who))
    assert (told.referral, told.unit, told.consent) == (
        record_ids.id_text(referral),
        ALBIR,
        record_ids.id_text(consent),
    )
    assert told.fields == ["organisation.name_ar", "person.given", "person.sex"]
    assert (told.consent_state, told.shared, told.by) == ("withdrawn", False, "Amal")


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"purpose": "photo"}, "missing"),
        ({"expires_on": "2026-01-01", "given_on": "2025-12-01"}, "expired"),
        ({"state": "refused"}, "refused"),
    ],
)
def test_a_consent_must_cover_the_referral(nodes: dict[str, Node], said: dict[str, Any], reason: str) -> None:
    """Another purpose, an expired and a refused consent are each named as the reason."""
    _, who = stage.family(nodes["amal"], JBL)
    stage.consent(nodes["amal"], who, ALBIR, **said)
    with pytest.raises(errors.ConsentNeeded) as caught:
        stage.refer(nodes["amal"], who, ALBIR)
    assert caught.value.facts["reason"] == reason


def test_a_consent_is_for_one_organisation(nodes: dict[str, Node]) -> None:
    """A consent for one charity does not cover another."""
    _, who = stage.family(nodes["amal"], JBL)
    stage.consent(nodes["amal"], who, NOOR)
    with pytest.raises(errors.ConsentNeeded) as caught:
        stage.refer(nodes["amal"], who, ALBIR)
    assert caught.value.facts["reason"] == "organisation"


def test_only_a_supervisor_may_override_consent(nodes: dict[str, Node]) -> None:
    """A supervisor may share without consent, giving a reason; a caseworker may not, nor with a tampered laptop."""
    _, who = stage.family(nodes["amal"], JBL)
    sync(nodes, "amal", "samar")
    with pytest.raises(errors.RoleRefused):
        stage.refer(nodes["amal"], who, ALBIR, override="in danger")
    referral = stage.refer(nodes["samar"], who, ALBIR, override="in danger")
    sync(nodes, "samar", "huda")
    assert referral in stage.held(nodes["huda"])
    amal = nodes["amal"]
    forged = amal.new_id()
    said = {"person": record_ids.id_text(who), "kind": "charity_help", "from_org": "x", "to_org": ALBIR, "services": ["other"], "urgency": "routine", "reason": "x"}  # fmt: skip
    write_raw(amal, "referral", forged, {**said, "_unit": JBL, "_code": save_code(amal), "state": "sent", "override_reason": "x", "_shared": [ALBIR]})  # fmt: skip
    bare = amal.new_id()
    write_raw(amal, "referral", bare, {**said, "_unit": JBL, "_code": save_code(amal), "state": "draft"})
    write_raw(amal, "referral", bare, {"state": "sent", f"_shared/{ALBIR}": True})
    directly.sync(amal, nodes["hq"])
    assert [one["code"] for one in queries.status(amal).refused] == ["role_refused", "consent_needed"]
    sync(nodes, "huda")
    assert stage.held(nodes["huda"]).keys().isdisjoint({forged, bare})


@pytest.mark.parametrize("first", ["given", "withdrawn"])
def test_a_withdrawal_wins_over_a_concurrent_consent(nodes: dict[str, Node], clock: Clock, first: str) -> None:
    """Given on one laptop and withdrawn on another, at any time: withdrawn everywhere, and shared with nobody."""
    _, consent, _ = referred(nodes)
    sync(nodes, "basim")
    referrals.withdraw_consent(nodes["amal"], record_ids.id_text(consent))
    sync(nodes, "amal", "basim")
    clock.tick(60_000 if first == "given" else -60_000)
    save.edit_record(nodes["basim"], record_ids.id_text(consent), Changes(set={"state": "given"}))
    clock.tick(-120_000 if first == "given" else 120_000)
    save.edit_record(nodes["amal"], record_ids.id_text(consent), Changes(set={"state": "given"}))
    save.edit_record(nodes["amal"], record_ids.id_text(consent), Changes(set={"state": "withdrawn"}))
    sync(nodes, *(("basim", "amal") if first == "given" else ("amal", "basim")), "basim", "amal", "huda")
    for name in ("hq", "amal", "basim"):
        assert queries.show(nodes[name], record_ids.id_text(consent)).fields["state"] == "withdrawn"
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


def test_a_partner_writes_only_answers_and_deliveries(nodes: dict[str, Node]) -> None:
    """No other field, record, state or person, at the keyboard or with a tampered laptop."""
    who, _, referral = referred(nodes)
    huda = nodes["huda"]
    for attempt in (
        lambda: save.edit_record(huda, record_ids.id_text(who), Changes(set={"given": "x"})),
        lambda: save.edit_record(huda, record_ids.id_text(referral), Changes(set={"reason": "x"})),
        lambda: save.edit_record(huda, record_ids.id_text(referral), Changes(set={"state": "revoked"})),
        lambda: save.remove_record(huda, record_ids.id_text(referral), "no more"),
        lambda: save.add_record(huda, "household", Changes(set={"family_name": "x"})),
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
        ("service", huda.new_id(), {**delivery, "person": record_ids.id_text(other), "referral": record_ids.id_text(referral)}),
        ("service", huda.new_id(), {**delivery, "person": record_ids.id_text(huda.new_id()), "referral": record_ids.id_text(referral)}),
        ("service", huda.new_id(), {**delivery, "person": record_ids.id_text(who)}),
        ("service", huda.new_id(), {**delivery, "_unit": JBL, "person": record_ids.id_text(who), "referral": record_ids.id_text(referral)}),
    ]  # fmt: skip
    for type, record, fields in bad:
        write_raw(huda, type, record, fields)
    tally = directly.sync(huda, nodes["hq"])
    assert tally.refused == len(bad)
    assert stage.held(nodes["hq"]) == before
    told = queries.status(huda).refused
    codes = [one["code"] for one in told[-len(bad) :]]
    assert codes[4] == codes[5] == "role_refused"
    assert codes[6] == codes[7] == "no_record"  # of somebody else's person as of one that there is not
    sync(nodes, "huda", "amal", "noor")


def test_range_repair_reveals_nothing_unshared(nodes: dict[str, Node]) -> None:
    """Questions about unshared records are answered as for unknown ids, and shared ones come projected."""
    who, _, _ = referred(nodes)
    home, other = stage.family(nodes["amal"], JBL)
    sync(nodes, "amal")
    talk = directly.Direct(nodes["huda"], nodes["hq"])
    ask = range_repair.Ask(ALBIR + SHARED, (), (other, home, bytes(16)))
    frames = list(range_repair.answer_question(nodes["hq"], ask, talk.client.codec))
    nobody = list(
        range_repair.answer_question(nodes["hq"], range_repair.Ask(ALBIR + SHARED, (), (bytes(16),)), talk.client.codec)
    )
    assert frames == nobody
    told = b"".join(
        talk.client.codec.open_frame(frame)[1]
        for frame in range_repair.answer_question(
            nodes["hq"], range_repair.Ask(ALBIR + SHARED, (), (who,)), talk.client.codec
        )
    )
    assert "ليلى".encode() in told
    assert b"Kassab" not in told
