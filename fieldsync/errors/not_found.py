"""Missing records, stores and other things (exit 5)."""

from fieldsync.errors.base import FieldsyncError


class NotFound(FieldsyncError):
    """Not found."""

    code = "not_found"
    exit = 5
    status = 404


class NoRecord(NotFound):
    """No record of that name is visible on this node; facts: ref."""

    code = "no_record"


class Ambiguous(NotFound):
    """More than one record has that prefix; facts: ref, codes."""

    code = "ambiguous"


class NoStore(NotFound):
    """No store in this folder; facts: home."""

    code = "no_store"


class NoDevice(NotFound):
    """No such device; facts: device."""

    code = "no_device"


class NoConflict(NotFound):
    """This field has no open conflict; facts: field."""

    code = "no_conflict"


class NoHead(NotFound):
    """No such head in this conflict; facts: head, heads."""

    code = "no_head"


class NoUndo(NotFound):
    """Nothing that can be undone; facts: field of a decision, or reason and the remaining parts of an action."""

    code = "no_undo"


class NoRecipient(NotFound):
    """A device or server whose recipient key for bundles is unknown; facts: name."""

    code = "no_recipient"


class NoReport(NotFound):
    """No report of that name; facts: report, known, labels (language → text, by name)."""

    code = "no_report"
