"""A thread of the running server that makes scheduled backups and rehearses the newest one."""

import threading
from contextlib import suppress

from fieldsync import errors
from fieldsync.authority import backup_rehearsal
from fieldsync.replica.node import Node, Unlock
from fieldsync.server import event_log
from fieldsync.store import ReadTx, Tx
from fieldsync.topology import backup_schedule
from fieldsync.topology.fleet import DAY_MS

LOOK_SECONDS = 20.0
LEASE_MS = 10 * 60 * 1000
"""Milliseconds after which another computer makes the backups, when the one that made them is away."""
WORK_MS = 6 * 60 * 60 * 1000
"""Milliseconds for which nobody else begins while a backup or its rehearsal runs."""
_WORK = "backups"
STOP_SECONDS = 5.0


class BackupTimer:
    """Checks regularly whether a backup is due. Failures are recorded by the backup or rehearsal itself."""

    def __init__(self, node: Node, unlock: Unlock, seconds: float = LOOK_SECONDS) -> None:
        self._node = node
        self._unlock = unlock
        self._seconds = seconds
        # worker 0 of each computer that serves this store has such a timer, and the same process number means nothing
        self._holder = node.environment.random_bytes(16)
        self._held_until = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="backups", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread; an unfinished backup is abandoned after a few seconds."""
        self._stopping.set()
        self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self.look()
            except Exception as fault:  # noqa: BLE001 - recorded, and shown by `server fleet`, `status` and the metrics
                event_log.log_fault(fault, "backup_failed")
            self._stopping.wait(self._seconds)

    def look(self) -> bool:
        """Make a backup if one is due, then rehearse it if that is due; return whether a backup was made.

        Of several computers on one store one does so, the same one for as long as it serves: the folders may be its own.
        """
        node = self._node
        with node.store.read() as tx:
            step = self._due_step(tx)
        if step is None:
            self._keep_lease()
            return False
        with node.store.write() as tx:
            step = (
                self._due_step(tx) if self._lease(tx, WORK_MS) else None
            )  # read again: another one may have been at it
        if step is None:
            return False
        try:
            return self._follow(step)
        finally:
            with node.store.write(durable=False) as tx:
                self._lease(tx, LEASE_MS)

    def _due_step(self, tx: ReadTx) -> backup_schedule.Step | None:
        plan = tx.settings.backup_plan
        if plan is None:
            return None
        return backup_schedule.next_step(self._node, plan, tx.settings.backup_note, tx.settings.backup_tried)

    def _keep_lease(self) -> None:
        """Prolong the lease where this process has one."""
        if 0 < self._held_until <= self._node.clock() + LEASE_MS // 2:
            with self._node.store.write(durable=False) as tx:
                self._lease(tx, LEASE_MS)

    def _lease(self, tx: Tx, milliseconds: int) -> bool:
        now = self._node.clock()
        has = tx.try_lease(_WORK, self._holder, now, now + milliseconds)
        self._held_until = now + milliseconds if has else 0
        return has

    def _follow(self, step: backup_schedule.Step) -> bool:
        node = self._node
        if step == "copy":
            backup_schedule.copy_again(node)
        else:
            made = backup_schedule.run_backup(node)
            event_log.log_event(event_log.INFO, "backup", bytes=made.bytes, kept=made.kept, removed=made.removed)
        with node.store.read() as tx:
            plan, rehearsal = tx.settings.backup_plan, tx.settings.rehearsal_note
        last = rehearsal.at if rehearsal is not None and not rehearsal.fault else 0
        if plan is not None and plan.rehearse_days and not 0 <= node.clock() - last < plan.rehearse_days * DAY_MS:
            with suppress(errors.NotFound):  # removed meanwhile
                found = backup_rehearsal.rehearse(node, None, self._unlock, lambda *_: None)
                level = event_log.INFO if found.ok else event_log.ERROR
                event_log.log_event(level, "rehearsal", ok=found.ok, commits=found.commits, records=found.records)
        return True
