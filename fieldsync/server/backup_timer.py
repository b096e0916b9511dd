"""A thread of the running server that makes scheduled backups and rehearses the newest one."""

import threading
from contextlib import suppress

from fieldsync import errors
from fieldsync.authority import backup_rehearsal
from fieldsync.replica.node import Node, Unlock
from fieldsync.server import event_log
from fieldsync.topology import backup_schedule
from fieldsync.topology.fleet import DAY_MS

LOOK_SECONDS = 20.0
STOP_SECONDS = 5.0


class BackupTimer:
    """Checks regularly whether a backup is due. Failures are recorded by the backup or rehearsal itself."""

    def __init__(self, node: Node, unlock: Unlock, seconds: float = LOOK_SECONDS) -> None:
        self._node = node
        self._unlock = unlock
        self._seconds = seconds
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
        """Make a backup if one is due, then rehearse it if that is due; return whether a backup was made."""
        node = self._node
        with node.store.read() as tx:
            plan, note, tried = tx.settings.backup_plan, tx.settings.backup_note, tx.settings.backup_tried
            rehearsal = tx.settings.rehearsal_note
        step = None if plan is None else backup_schedule.next_step(node, plan, note, tried)
        if plan is None or step is None:
            return False
        if step == "copy":
            backup_schedule.copy_again(node)
        else:
            made = backup_schedule.run_backup(node)
            event_log.log_event(event_log.INFO, "backup", bytes=made.bytes, kept=made.kept, removed=made.removed)
        last = rehearsal.at if rehearsal is not None and not rehearsal.fault else 0
        if plan.rehearse_days and not 0 <= node.clock() - last < plan.rehearse_days * DAY_MS:
            with suppress(errors.NotFound):  # removed meanwhile
                found = backup_rehearsal.rehearse(node, None, self._unlock, lambda *_: None)
                level = event_log.INFO if found.ok else event_log.ERROR
                event_log.log_event(level, "rehearsal", ok=found.ok, commits=found.commits, records=found.records)
        return True
