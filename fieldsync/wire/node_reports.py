"""What nodes report of themselves, for whoever looks after them: nothing about persons. Byte by byte: docs/formats/frames.md, HELLO."""

from typing import Annotated

import msgspec

MOST_BLOCKED = 8
"""How many obstacles one report may name."""
MOST_CODE = 32
"""How many characters a code may have."""

_Number = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]
_Code = Annotated[str, msgspec.Meta(max_length=MOST_CODE)]


class NodeReport(msgspec.Struct, array_like=True, frozen=True):
    """A device's report on its condition. Times are milliseconds of its own clock, 0 for never.

    `free` is in MiB, None where the system does not tell; `backup_fault` and `rehearsal_fault` are codes of errors, empty where
    all is well; `pending` counts commits that the server has not acknowledged, `quarantined` those that a server does not apply: of
    a laptop its own, of a server all that wait with it; `blocked` are (reason, since) of what keeps checks from being made.
    """

    version: _Code
    free: _Number | None = None
    backup: _Number = 0
    backup_fault: _Code = ""
    rehearsed: _Number = 0
    rehearsal_fault: _Code = ""
    pending: _Number = 0
    quarantined: _Number = 0
    blocked: Annotated[tuple[tuple[_Code, _Number], ...], msgspec.Meta(max_length=MOST_BLOCKED)] = ()


class ReportBelow(msgspec.Struct, array_like=True, frozen=True):
    """A branch's report on a device below it: `at` is its last contact (milliseconds).

    `number` is the branch's own, and rises; `skew`: milliseconds that the device's clock was ahead; `report` is None where its
    program tells nothing of itself.
    """

    number: _Number
    device: Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)]
    at: _Number
    skew: Annotated[int, msgspec.Meta(ge=-(1 << 53), le=1 << 53)]
    report: NodeReport | None = None
