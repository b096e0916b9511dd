"""Unavailable resources: the server (exit 6), the store (10), a program of another version (11)."""

from fieldsync.errors.base import FieldsyncError


class NoContact(FieldsyncError):
    """No contact with the server."""

    code = "no_contact"
    exit = 6
    status = 503


class Unreachable(NoContact):
    """The server does not answer; facts: server."""

    code = "unreachable"


class CutOff(NoContact):
    """The connection was interrupted; facts: server, unsent."""

    code = "cut_off"


class Busy(NoContact):
    """The server is busy; facts: server, wait (seconds before a retry)."""

    code = "busy"


class StoreUnavailable(FieldsyncError):
    """The store cannot be used at present; nothing was changed."""

    code = "store_unavailable"
    exit = 10
    status = 503


class StoreBusy(StoreUnavailable):
    """Another program holds the store."""

    code = "store_busy"


class DatabaseUnreachable(StoreUnavailable):
    """The database of a server does not answer."""

    code = "database_unreachable"


class StoreReadOnly(StoreUnavailable):
    """The store is on a read-only file system."""

    code = "store_read_only"


class Outdated(FieldsyncError):
    """Two programs of incompatible versions, one of which must be updated; facts: what, theirs, ours."""

    code = "outdated"
    exit = 11
    status = 409

    def for_other_side(self) -> "Outdated":
        """Return the error as the other side should see it."""
        turned = self.facts | {"theirs": self.facts.get("ours"), "ours": self.facts.get("theirs")}
        return (PeerOutdated if isinstance(self, BadVersion) else BadVersion)(**turned)


class BadVersion(Outdated):
    """This program is too old for the other side's version."""

    code = "bad_version"


class PeerOutdated(Outdated):
    """The other side's program is too old for this one."""

    code = "peer_outdated"
