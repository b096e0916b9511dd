"""The commands' Arabic help as HTML: names at the left, sentences from the right, as `fieldsync --help` shows it on a terminal."""

import re

_BLOCK = re.compile(r'(<div class="language-text[^>]*><pre[^>]*>(?:<span></span>)?<code[^>]*>)(.*?)(</code></pre>)', re.DOTALL)
_ROW = re.compile(r"(  \S.*?  +)(\S.*)")
_REST = re.compile(r"( {5,})(\S.*)")
_LATIN = re.compile(r"&lt;[^&]*&gt;|(?<![\w-])--?[A-Za-z][\w-]*(?: [a-z]+(?:\|[a-z]+)+)?")


def turned(html: str) -> str:
    """Return a page's HTML with a direction for each line of its blocks of text."""
    return _BLOCK.sub(lambda found: found[1] + "".join(map(_line, found[2].rstrip("\n").split("\n"))) + found[3], html)


def _line(line: str) -> str:
    if re.match("  fieldsync|    [^ ]|[a-z]", line):  # a command that is typed, and what follows of it on the next line
        return _block("ltr", line)
    if row := _ROW.fullmatch(line) or _REST.fullmatch(line):
        return _block("ltr", row[1], f'<bdi dir="rtl">{_isolated(row[2])}</bdi>')
    return _block("rtl", line)


def _block(direction: str, text: str, rest: str = "") -> str:
    return f'<span class="line" dir="{direction}">{_isolated(text)}{rest}\n</span>'


def _isolated(text: str) -> str:
    return _LATIN.sub(lambda found: f'<bdi dir="ltr">{found[0]}</bdi>', text)
