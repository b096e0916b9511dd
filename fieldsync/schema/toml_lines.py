"""Line numbers of the keys in a TOML text, for fault messages; tomllib does not provide them."""

import re

_HEADER = re.compile(r"^\s*\[\[?\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"""^\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*[A-Za-z0-9_"'-]+)*)\s*=(.*)$""")
_INLINE = re.compile(r"([A-Za-z0-9_-]+)\s*=")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"|\'[^\']*\'')

_PART = re.compile(r"""[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|'[^']*'""")

Path = tuple[str, ...]


def line_index(text: str) -> dict[Path, int]:
    """The line (from 1) of each table and key of a TOML text, by its path of names."""
    lines: dict[Path, int] = {(): 1}
    table: Path = ()
    value: Path = ()  # the key whose value goes on over several lines
    open_brackets = 0
    quote = ""
    for number, line in enumerate(text.split("\n"), 1):
        if quote:
            if quote in line:
                quote = ""
            continue
        if open_brackets == 0:
            header = _HEADER.match(line)
            if header:
                table = _split_path(header[1])
                lines.setdefault(table, number)
                continue
            key = _KEY.match(line)
            if not key:
                continue
            value = table + _split_path(key[1])
            lines.setdefault(value, number)
            rest = key[2]
        else:
            rest = line
        quote = next((q for q in ('"""', "'''") if rest.count(q) % 2), "")
        bare = _QUOTED.sub("", rest).partition("#")[0]
        for name in _INLINE.findall(bare):
            lines.setdefault((*value, name), number)
        open_brackets += sum(bare.count(c) for c in "[{") - sum(bare.count(c) for c in "]}")
    return lines


def _split_path(dotted: str) -> Path:
    return tuple(part.strip("\"'") for part in _PART.findall(dotted))
