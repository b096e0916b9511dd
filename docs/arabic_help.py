"""Blocks of `text` on Arabic pages as HTML: names and codes from the left, sentences and tables from the right, as on a terminal."""

import re

_BLOCK = re.compile(r'(<div class="language-text[^>]*><pre[^>]*>(?:<span></span>)?<code[^>]*>)(.*?)(</code></pre>)', re.DOTALL)
_ROW = re.compile(r"(  \S.*?  +)(\S.*)")
_REST = re.compile(r"( {5,})(\S.*)")
_LATIN = re.compile(
    r"&lt;[^&]*&gt;|(?<![\w-])--?[A-Za-z][\w-]*(?: [a-z]+(?:\|[a-z]+)+)?"
    r"|(?<!\S)/[\w./…-]*\w"  # a path, whose first / would go to its other end
    r"|(?<!\S)(?<!\S )[A-Z]\w*(?=  )"  # a cell of a table, which the next one must not join
)
_CODE = re.compile(r"[A-Z/{][^\u0600-\u06ff]*")


def turned(html: str) -> str:
    """Return a page's HTML with a direction for each line of its blocks of text."""
    return _BLOCK.sub(lambda found: found[1] + "".join(map(_line, found[2].rstrip("\n").split("\n"))) + found[3], html)


def _line(line: str) -> str:
    # a code or path alone, a command that is typed, and what follows of it on the next line
    if _CODE.fullmatch(line) or re.match("  fieldsync|    [^ ]|[a-z]", line):
        return _block("ltr", line)
    if row := _ROW.fullmatch(line) or _REST.fullmatch(line):
        return _block("ltr", row[1], f'<bdi dir="rtl">{_isolated(row[2])}</bdi>')
    return _block("rtl", line)


def _block(direction: str, text: str, rest: str = "") -> str:
    return f'<span class="line" dir="{direction}">{_isolated(text)}{rest}\n</span>'


def _isolated(text: str) -> str:
    return _LATIN.sub(lambda found: f'<bdi dir="ltr">{found[0]}</bdi>', text)
