"""Invalid input (exit 3)."""

import errno
from collections.abc import Mapping
from types import MappingProxyType

from fieldsync.errors.base import DiskFull, FieldsyncError


class BadInput(FieldsyncError):
    """The input is invalid."""

    code = "bad_input"
    exit = 3
    status = 422


class UnknownType(BadInput):
    """No such record type; facts: type, known."""

    code = "unknown_type"


class UnknownField(BadInput):
    """No such field; facts: type, field, known."""

    code = "unknown_field"


class UnknownForm(BadInput):
    """A commit under a form that has not arrived yet; facts: type, form, ours."""

    code = "unknown_form"


class Unreadable(BadInput):
    """A commit that cannot be decoded; it is forwarded and never applied."""

    code = "unreadable"


class RetiredType(BadInput):
    """A retired record type, which accepts no new records; facts: type."""

    code = "retired_type"


class IllegalValue(BadInput):
    """A value that its field does not allow; facts: type, field, reason, and the limits broken."""

    code = "illegal_value"


class IllegalStep(BadInput):
    """A lifecycle step that is not allowed; facts: type, old, new, allowed."""

    code = "illegal_step"


class NothingToApprove(BadInput):
    """A case without a pending approval, or with several of which none was named; facts: code, asked."""

    code = "nothing_to_approve"


class Incomplete(BadInput):
    """Missing fields that the record's state requires; facts: type, fields, and reason `emptied` if the state stays the same."""

    code = "incomplete"


class BadRows(BadInput):
    """Invalid rows of a file; facts: file, count, rows [{row, field, reason}], the first ones in words.

    `unknown` are words that match no choice of a field, for a question to the user; file contents are never facts of an error.
    """

    code = "bad_rows"
    unknown: Mapping[str, Mapping[str, None]] = MappingProxyType({})


class SchemaFaults(BadInput):
    """A schema folder with faults; facts: faults [{file, line, code, …}]."""

    code = "schema_faults"


class BadFile(BadInput):
    """A file that cannot be read in its expected format; facts: file, reason."""

    code = "bad_file"


class BadFrame(BadInput):
    """Bytes that are not a valid frame; facts: reason."""

    code = "bad_frame"
    status = 400


class TooLarge(BadInput):
    """Something over a limit; facts: what, limit."""

    code = "too_large"
    status = 413


class Gap(BadInput):
    """Commits that do not continue the node's log; facts: device, need."""

    code = "gap"
    status = 409


class NeedsBundle(BadInput):
    """A bundle that starts after a gap; facts: number of the one to unpack first."""

    code = "needs_bundle"
    status = 409


class ReportFault(BadInput):
    """A report file with a fault; facts: report, reason, what."""

    code = "report_fault"


class BelongsTo(BadInput):
    """A record that cannot be moved by itself, as its owner determines its unit; facts: type, owner."""

    code = "belongs_to"


class TwoTypes(BadInput):
    """Two records of different types cannot be merged; facts: types."""

    code = "two_types"


class AlreadyOne(BadInput):
    """Two records that were merged already, or the same one twice."""

    code = "already_one"


class NotOne(BadInput):
    """Two records that are not merged cannot be split."""

    code = "not_one"


def unwritten(fault: OSError, name: str) -> "FieldsyncError":
    """Return why a file could not be written: the disk is full, or it may not be written there."""
    return DiskFull() if fault.errno == errno.ENOSPC else BadFile(file=name, reason="unwritable")
