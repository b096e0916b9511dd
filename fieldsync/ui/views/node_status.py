"""The status of this node, and the results of syncs, bundles and backups."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from msgspec import structs

from fieldsync.casework import titles
from fieldsync.replica.node import Node
from fieldsync.review import decisions as reviews
from fieldsync.ui.terminal.messages import SafeText
from fieldsync.ui.views import transfers
from fieldsync.ui.views.record_card import INDENT, RecordCards, local_time, size, span

if TYPE_CHECKING:
    from fieldsync.authority.integrity import Checked, StoreFault
    from fieldsync.replica.receipts import CommitCounts
    from fieldsync.topology.backups import BackedUp, Restored
    from fieldsync.topology.sync_results import Joined, PackedBundle, Synced, SyncPlan, UnpackedBundle
    from fieldsync.ui.views.doctor import Finding
    from fieldsync.ui.views.status_facts import Status


class NodeView(RecordCards):
    """Cards about this node."""

    def status(self, node: Node, found: "Status") -> None:
        """Identity, pending work and health."""
        units = self.several(found.units)
        role = self.phrase(f"role_{found.role}") if found.role else ""
        self.line(f"{self.safe(found.person)}  {role}  {units}  {self.phrase('device', device=found.device)}")
        for name, count in found.records.items():
            self.line(f"{INDENT}{self.safe(self.types_label(node, name))}: {count:,}")
        if node.is_laptop:
            self.line(INDENT + (self.phrase("n_unsent", n=found.unsent) if found.unsent else self.phrase("all_sent")))
        if found.device_pending:
            self.line(f"{INDENT}⚠ " + self.phrase("waits_for_approval", words=found.device_pending))
        if found.bundle:
            told = found.bundle
            self.line(2 * INDENT + self.phrase("in_bundle", n=told.commits, number=told.number, at=local_time(told.at)))
        self.line(
            INDENT
            + (self.phrase("n_conflicts", n=found.conflicts) if found.conflicts else self.phrase("stands_no_conflicts"))
        )
        self.pairs_waiting(found)
        if node.is_laptop:
            at = local_time(found.last_sync) if found.last_sync else self.phrase("never")
            self.line(INDENT + self.phrase("last_sync", at=at))
        if found.backup:
            at = local_time(found.backup.at) if found.backup.at else self.phrase("never")
            self.line(INDENT + self.phrase("last_backup", at=at))
        self._saves(found.commits, server=not node.is_laptop)
        if found.unlocked_until:
            self.line(INDENT + self.phrase("store_unlocked_until", at=local_time(found.unlocked_until)))
        if found.refused:
            from fieldsync.ui.views import schema_news

            for one in found.refused:
                schema_news.aside(self, node, one)
        if "clock_off" in found.health:
            self.line(f"{INDENT}⚠ " + self.clock(found.clock_off_ms or 0))
        for check in found.blocked:
            words_ = {"server": self.safe(check.server), "since": local_time(check.since), "hint": check.hint}
            self.line(f"{INDENT}⚠ " + self.phrase("blocked", **words_))
        self.line(
            INDENT + self.phrase("health", health=self.several(self.phrase(f"health_{one}") for one in found.health))
        )

    def pairs_waiting(self, found: "Status") -> None:
        """The possible duplicates and overlaps that this person may decide, and uncompared records."""
        waiting = {"duplicates": found.duplicates, "overlaps": found.overlaps, "uncompared": found.uncompared}
        for name, count in waiting.items():
            if count:
                self.line(INDENT + self.phrase(f"n_{name}", n=f"{count:,}"))

    def _saves(self, told: "CommitCounts", *, server: bool) -> None:
        """The progress of all saves, in a line."""
        parts = [
            self.phrase("saves_received", n=one.commits, server=self.safe(one.server))
            for one in told.received
            if one.commits
        ]
        come = {"review": told.review, "settled": told.settled, "refused": told.refused}
        parts += [self.phrase(f"saves_{name}", n=n) for name, n in come.items() if n]
        unsent = {"here": told.here, "in_bundle": told.in_bundle}
        waiting = [self.phrase(f"saves_{name}", n=n) for name, n in unsent.items() if n]
        if parts or (waiting and server):  # of a laptop what is unsent says it all
            self.line(INDENT + self.phrase("saves", n=told.saved) + " " + self.clauses(waiting + parts))

    def clock(self, off_ms: int) -> str:
        """This computer's clock skew."""
        return self.phrase("clock_ahead" if off_ms > 0 else "clock_behind", much=span(self, off_ms))

    def their_clock(self, off_ms: int) -> str:
        """Another node's clock skew at a write."""
        return self.phrase("their_clock_ahead" if off_ms > 0 else "their_clock_behind", much=span(self, off_ms))

    def synced(self, told: "Synced", node: Node | None = None) -> None:
        """One line, and further notices."""
        self.say(
            "synced", server=told.server, up=told.up.commits, down=told.down.states,
            size=size(told.up.bytes + told.down.bytes, self.lang), seconds=f"{told.seconds:.1f}",
        )  # fmt: skip
        if told.forms:
            from fieldsync.ui.views import schema_news

            schema_news.changed(self, told.forms)
        if told.partial:
            self.say("partial", n=told.remaining.commits if told.remaining else 0)
        self._new_conflicts(told.new_conflicts, node)
        if told.refused:
            self.say("n_refused", n=told.refused)
        if told.taken_after_all:
            self.say("n_taken_after_all", n=told.taken_after_all)
        if told.elsewhere:
            self.say("pairs_elsewhere", n=told.elsewhere)
        transfers.draw_departed(self, node, told.left)
        judged = told.refused or told.taken_after_all
        if told.digest == "healed" and not judged:  # what was quarantined, or is no more, is so here, too: no fault
            self.say("healed")
        if told.device_pending:
            self.say("waits_for_approval", words=told.device_pending)
        if told.unchecked == "forms":
            self.say("unchecked.forms")
        if told.unchecked == "budget" and not told.partial:
            self.say("unchecked")
        if told.renewed:
            new = told.renewed
            self.say("renewed", device=new.device, n=new.carried)
            if new.codes:
                names = titles.names_of(node, new.codes.values()) if node else {}
                codes = (f"{old} → {code} {self.safe(names.get(code, ''))}".rstrip() for old, code in new.codes.items())
                self.say("renewed_codes", codes=self.several(map(SafeText, codes)))
        if abs(told.clock_off_ms) > 10 * 60_000:
            self.line(self.clock(told.clock_off_ms))

    def _new_conflicts(self, n: int, node: Node | None) -> None:
        """Their number, and the command for those who decide or only read."""
        if n:
            decides = node is not None and reviews.may_decide_somewhere(node)
            self.say("new_conflicts", n=n, command="fieldsync review" if decides else "fieldsync review list")

    def sync_plan(self, told: "SyncPlan") -> None:
        """The data that a sync would send."""
        self.say("would_send", n=told.up.commits, server=told.server)

    def packed(self, told: "PackedBundle", *, server: bool) -> None:
        """A bundle's content, recipients and path."""
        key = "packed_reply" if server else "packed"
        self.say(
            key, number=told.number, to=told.recipients, commits=told.commits, states=told.states,
            size=size(told.bytes, self.lang), file=told.file,
        )  # fmt: skip

    def unpacked(self, told: "UnpackedBundle", node: Node) -> None:
        """The content of an unpacked bundle."""
        key = "unpacked_already" if told.already else "unpacked_reply" if node.is_laptop else "unpacked"
        self.say(
            key, number=told.number, sender=told.sender, commits=told.up.commits, states=told.down.states,
            acknowledged=told.acknowledged or 0,
        )  # fmt: skip
        self._new_conflicts(told.new_conflicts, node)
        if told.refused:
            self.say("n_refused", n=told.refused)
        if told.digest == "differs":
            self.say("differs")

    def joined(self, told: "Joined", node: Node | None = None) -> None:
        """This laptop's new identity."""
        self.say(
            "joined",
            org=told.org,
            person=told.person,
            n=len(told.units),
            units=self.several(told.units),
            device=told.device,
        )
        self.synced(told.sync, node)

    def checked(self, told: "Checked") -> None:
        """The result of an integrity check."""
        self.say("check_ok" if told.ok else "check_bad", commits=f"{told.commits:,}", records=f"{told.records:,}")
        self.store_faults(told.faults)
        if told.listed:
            self.say("check_listed", n=len(told.listed))
        for one in told.listed:
            words_ = {**structs.asdict(one), "fields": self.several(one.fields or ())}
            self.line(f"{INDENT}{self.phrase('listed_' + one.what, **words_)}")

    def store_faults(self, faults: "Iterable[StoreFault]") -> None:
        """A line for each thing that does not fit together."""
        for fault in faults:
            self.line(f"{INDENT}{self.phrase('fault_' + fault.what, **structs.asdict(fault))}")

    def diagnosed(self, found: "list[Finding]") -> None:
        """The findings of `doctor`."""
        from fieldsync.ui.views import doctor

        doctor.show(self, found)

    def backed_up(self, made: "BackedUp") -> None:
        """The backup's path."""
        self.say("backed_up", file=made.file, size=size(made.bytes, self.lang))

    def restored(self, made: "Restored") -> None:
        """The restored store's device, and the next steps."""
        self.say(f"restored_{made.kind}", person=made.person, records=f"{made.records:,}")

    def unlocked(self, until: str, *, memory_locked: bool) -> None:
        """The time of locking, and missing protections of the system."""
        self.say("store_unlocked", at=local_time(until))
        if not memory_locked:
            self.say("store_unlocked_swap")

    def locked(self, *, was_unlocked: bool) -> None:
        """One line."""
        self.say("store_locked" if was_unlocked else "store_locked_before")

    def passphrase_changed(self) -> None:
        """One line."""
        self.say("passphrase_changed")
