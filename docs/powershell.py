"""The commands of other pages for Windows PowerShell: what docs/windows.md shows is made of their `sh` blocks."""

import re
from pathlib import Path

HERE = Path(__file__).parent
_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^## (.+)$", re.MULTILINE)
# today's date and its like, as each shell says it
_DATES = {
    "$(date +%F)": "(Get-Date -Format yyyy-MM-dd)",
    "$(date +%Y-%m)": "(Get-Date -Format yyyy-MM)",
    '$(date -d "$(date +%Y-%m-01) -1 day" +%Y-%m)': "(Get-Date).AddMonths(-1).ToString('yyyy-MM')",
    '$(date -d "+60 days" +%F)': "(Get-Date).AddDays(60).ToString('yyyy-MM-dd')",
}
_WORD = re.compile(r'"[^"]*"|\S+')
_PLAIN = re.compile(r"[\w./:=+$%-]+")


class UnknownShell(Exception):
    """A line for sh that has no translation here yet; its text."""


def commands_of(page: str) -> str:
    """Return the sh blocks of a page in docs, translated, each under the heading of its section."""
    text = (HERE / page).read_text("utf-8")
    parts: list[str] = []
    shown = ""
    for block in _BLOCK.finditer(text):
        heading = [one[1] for one in _HEADING.finditer(text, 0, block.start())][-1:]
        if heading and heading[0] != shown:
            shown = heading[0]
            parts.append(f"### {shown}")
        parts.append("```powershell\n" + "".join(f"{translate(line)}\n" for line in block[1].splitlines()) + "```")
    return "\n\n".join(parts)


def translate(line: str) -> str:
    """Return a line of sh as PowerShell has it. UnknownShell."""
    code, sign, comment = re.match(r"((?:[^#\"]|\"[^\"]*\")*)(#?)(.*)", line).groups()  # type: ignore[union-attr]
    code, spaces = code.rstrip(), code[len(code.rstrip()) :]
    if code.startswith("export "):
        code = _assignment(code.removeprefix("export "))
    elif code:
        code = _command(code)
    return f"{code}{spaces}{sign}{comment}"


def _assignment(text: str) -> str:
    name, _, value = text.partition("=")
    if value in _DATES:
        return f"$env:{name} = {_DATES[value]}"
    if "$(" in value:
        raise UnknownShell(text)
    return f'$env:{name} = "{value.strip(chr(34))}"'


def _command(text: str) -> str:
    if text.endswith(" &"):
        words = _WORD.findall(text.removesuffix(" &"))
        return f"Start-Process -NoNewWindow {words[0]} -ArgumentList {', '.join(map(_quoted, words[1:]))}"
    found = re.search(r'"\$\(grep (\S+) (\S+)\)"', text)
    if found:
        text = text.replace(found[0], f"(Select-String {found[1]} {found[2]}).Line")
    if "$(" in text or "<" in text or "|" in text:
        raise UnknownShell(text)
    if found:
        return text
    return " ".join(word if word == ">" else _argument(word) for word in _WORD.findall(text))


def _argument(word: str) -> str:
    word = re.sub(r"\$([A-Z_]+)", r"$env:\1", word)
    return word if word.startswith('"') or _PLAIN.fullmatch(word) else f'"{word}"'


def _quoted(word: str) -> str:
    return word if word.startswith('"') else f'"{word}"'
