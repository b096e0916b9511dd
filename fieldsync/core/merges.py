"""Merges: which record stands. A record that gave way names another in `_same_as`; nothing else about it changes.

Whatever shows, counts or compares records asks `standing`; stores keep its answer in the table `same`.
"""

from collections.abc import Mapping

SAME_AS = "_same_as"
NOT_SAME = "_not_same"


def standing(gave_way: Mapping[str, str | None]) -> dict[str, str]:
    """Return which record stands for each of these (UUIDs): the last of its line, and in a ring the smallest id.

    `gave_way` says to which each gave way; None: to none as long as people disagree, or a removed record is asked about.
    """
    return {record: _last(record, gave_way) for record in gave_way}


def _last(record: str, gave_way: Mapping[str, str | None]) -> str:
    line = [record]
    while (following := gave_way.get(line[-1])) is not None:
        if following in line:
            return min(line[line.index(following) :])
        line.append(following)
    return line[-1]
