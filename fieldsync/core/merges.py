"""Merges: which record survives. A merged record names another in `_same_as`; nothing else about it changes.

Code that shows, counts or compares records asks `standing`; stores keep its answer in the table `same`.
"""

from collections.abc import Mapping

SAME_AS = "_same_as"
NOT_SAME = "_not_same"


def standing_records(gave_way: Mapping[str, str | None]) -> dict[str, str]:
    """Return the surviving record of each of these (UUIDs): the last of its chain, in a cycle the smallest id.

    `gave_way` says to which each gave way; None: to none as long as people disagree, or a removed record is asked about.
    Each record is passed once, however long a line somebody has made.
    """
    found: dict[str, str] = {}
    for record in gave_way:
        line: dict[str, None] = {}
        at = record
        while at not in found and at not in line:
            line[at] = None
            following = gave_way.get(at)
            if following is None:
                break
            at = following
        if at not in found:
            found[at] = min([*line][[*line].index(at) :]) if gave_way.get(at) is not None else at
        for one in line:
            found[one] = found[at]
    return {record: found[record] for record in gave_way}
