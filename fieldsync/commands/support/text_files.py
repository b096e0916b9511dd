"""Small text files written by people and their programs (passphrases, invites, JSON), in UTF-8 or PowerShell's UTF-16."""

import codecs

_BEYOND_LATIN = 0.3  # of a text's bytes are zero where it is UTF-16 without a mark


def decoded(data: bytes) -> str:
    """Return the text of a file, with replacement characters for undecodable bytes."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", "replace")
    if b"\0" in data:
        even, odd = data[::2].count(0), data[1::2].count(0)
        if max(even, odd) > _BEYOND_LATIN * len(data) / 2:
            return data.decode("utf-16-le" if odd > even else "utf-16-be", "replace")
    return data.decode("utf-8-sig", "replace")
