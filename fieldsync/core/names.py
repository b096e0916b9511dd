"""Normalised Arabic and Latin names, for equality, search and duplicate detection.

Three strengths, each for its own use, none ever stored in place of the name itself:
`strip_invisible` ignores invisible characters; `fold_text` ignores how Arabic is spelled (أحمد = احمد);
`skeleton` ignores the script (محمد = Mohamed). Folded-equal is evidence, never proof: هدى and هدي
are two people. Keys made here are derived data: when the rules change they are rebuilt.

Full text: store `" ".join(search_terms(text))` in an FTS5 column with `tokenize=TOKENIZER` and ask
it `MATCH match(words)`. The ascii tokenizer leaves letters beyond ASCII alone, as they are folded
here already; unicode61 would only fold them a second time.
"""

import re
import unicodedata
from collections.abc import Collection, Iterable
from functools import lru_cache
from operator import itemgetter

from msgspec import Struct

_LONG_NUMBER = re.compile(r"\+?[0-9]{9,20}")
TOKENIZER = "ascii tokenchars '_'"

_SKELETON = "s_"  # folded words have no underscore, so the kinds of terms never mix
_TAIL = "n_"
_TAIL_DIGITS = 9  # +963944123456 and 0944123456 end in the same nine
_PREFIX = 2  # words at least this long also find the longer ones that they begin
_QUERY_LENGTH = 500
_QUERY_WORDS = 16

_INVISIBLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e0fff"
)
_UNSEEN = f"[\0-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u0640{_INVISIBLE}]"  # compiled where a text is not plain
_WESTERN = str.maketrans("٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹", "01234567890123456789")

_PLAIN = re.compile("[!-~ء-غف-ي]+(?: [!-~ء-غف-ي]+)*")

# What the decomposition of step 1 leaves to fold by hand; it has turned أ إ آ ئ ؤ into ا ا ا ي و.
_LETTERS = str.maketrans(
    {"ء": "", "ٱ": "ا"}
    | dict.fromkeys("ىیےۍ", "ي")
    | dict.fromkeys("ةہەھۃ", "ه")
    | dict.fromkeys("ککڪگڭ", "ك")
    | {"چ": "ج", "پ": "ب", "ڤ": "ف", "ژ": "ز", "ۋ": "و", "ڨ": "ق"}
    | {"ø": "o", "đ": "d", "ð": "d", "ł": "l", "ı": "i", "æ": "ae", "œ": "oe"}
)
_FOLDED = _LETTERS | _WESTERN | str.maketrans("أإآئؤ", "ااايو")
_APOSTROPHES = str.maketrans(dict.fromkeys("'`´’‘ʼʿʾʻ", ""))
_NOT_WORD = re.compile(r"[\W_]+")

_BEFORE = {"عبد": "عبد", "ام": "ام"} | dict.fromkeys(("ابو", "ابا", "ابي", "بو"), "ابو")
_BEFORE |= {
    "abd" + end: "abdul" for end in ("", *["ul", "el", "al", "il", "ol", "oul", "ur", "us", "ush", "er", "es", "ar"])
}
_BEFORE |= dict.fromkeys(["abu", "abou", "abo", "abi", "bou", "abul", "aboul"], "abu")
_BEFORE |= dict.fromkeys(["umm", "um", "oum", "omm", "om"], "umm")
_AFTER = frozenset(("الدين", "الله", "الحق", "النبي", "الزهرا", "allah"))
_DIVINE = ("الله", "allah")  # never searched for by itself: half of all names would be found
_AFTER_LATIN = re.compile(r"(?:[aeu][ld])?(d+(?:ee|i|ea)ne?|haq+|nabi|zahra+)")
_ARTICLES = frozenset(("ال", "al", "el", "ul", "il"))
_SUN_ARTICLE = re.compile(r"[aeiu](sh|dh|th|[tdrzsn])")
_LINKERS = frozenset(["بن", "ابن", "بنت", "bin", "ibn", "bint", "ben"])
_TITLES = frozenset(
    {"الحاج", "الحاجه", "الحجه", "الشيخ", "الشيخه", "السيد", "السيده", "الدكتور", "الدكتوره"}
    | {"دكتور", "دكتوره", "المهندس", "المهندسه", "الاستاذ", "الاستاذه", "المرحوم", "المرحومه", "الشهيد"}
    | {"الشهيده", "المحامي", "الانسه", "haj", "hajj", "haji", "hajji", "hajja", "sheikh"}
    | {"shaikh", "sheik", "dr", "mr", "mrs", "ms", "eng"}
)
_JOINING = _AFTER | _ARTICLES | _LINKERS | _TITLES | frozenset(_BEFORE)  # what they are depends on their neighbours
_SHORT = 4  # letters, of which an article would be half
_NO_ARTICLE = frozenset(  # they begin with ال by nature
    {"الله", "الياس", "الهام", "الاء", "البرت", "الفريد", "الفونس", "اليان", "اليانا", "اليسا", "اليسار", "الماس"}
    | {"الماسه", "الحان", "الطاف", "albert", "alberto", "alfred", "alfons", "alfonso", "elmira"}
)
_NO_ARTICLE_BEFORE = ("الكس", "الكزا", "اليزا")  # Alexander, Elizabeth and their like
_LATIN_ARTICLE = re.compile(r"[ae]l(?=[b-df-hj-np-tv-z]{1,2}[aeiouy].)")

_DIGIT = re.compile(r"\d")
_NUMBER = re.compile(r"(?<!\w)(?:[+0]\d*(?:[ ()./-]{1,2}\d+)*|\d+(?:[()./-]{1,2}\d+)*)(?!\w)")
_CODE = re.compile(r"(?<!\w)(?=[0-9-]{0,12}[A-Za-z])[A-Za-z0-9]+(?:-[A-Za-z0-9]+)+(?!\w)")

# Skeleton classes: ت ط ث are t, ح ه are h, x is خ, c is ش, q is غ; "a" stands for what is dropped.
_ARABIC = "ابتثجحخدذرزسشصضطظعغفقكلمنهوي"
_CLASS = dict(zip(_ARABIC, "abttjhxdzrzscsdtzaqfkklmnhwy", strict=True))
_CLASS |= dict(zip("abcdefghijklmnopqrstuvwxyz", "abkdafjhajklmnabkrstafwkyz", strict=True))
_CLASS |= {"x": "ks", "sh": "c", "ch": "c", "kh": "x", "gh": "q", "th": "t", "dh": "d"}
_CLASS |= {"ph": "f", "ck": "k", "dj": "j"}
_SOUND = re.compile(f"[scktgdp]h|ck|dj|[a-z{_ARABIC}]|.")
_FIRST_GROUP = itemgetter(1)  # a template would be read anew for each word
_REDUCE_ARABIC = (
    (re.compile(r"^(عبد|ابو|ام)ال(?=..)"), _FIRST_GROUP),
    (re.compile(r"(?<=..)ه?ال(?=(?:دين|حق|نبي|زهرا)$)"), ""),
    (re.compile(r"لله$"), "له"),
    (re.compile(r"^ال(?!له|فت|ين|يا|ما|مي|يف)(?=..$)"), ""),
)
_REDUCE_LATIN = (
    (re.compile(r"^abd[aeiou]{1,2}l"), "abda"),  # the vowel keeps abd-h from being a dh
    (re.compile(r"^ab(?:ou|u|o)(?:[ae]l|l(?=[^aeiou]))"), "ab"),
    (re.compile(r"(?<=..)[aeiou]l(?=(?:d[aeiy]+ne?|haq+|nabi|zahra+)$)"), ""),
    (re.compile(r"^ou(?=[aeiou])"), "w"),
    (re.compile(r"c(?=[eiy])"), "s"),
    (re.compile(r"sch"), "sh"),
    (re.compile(r"^chr"), "kr"),
    (re.compile(r"([a-z])\1+"), _FIRST_GROUP),  # Latin only: in Arabic script a vowel stands between two
)
_HAS_LATIN = re.compile("[a-z]")


class _Word(Struct, frozen=True):
    """A written word: its folded pieces, and its search terms if it can stand by itself."""

    pieces: tuple[str, ...]
    terms: tuple[str, ...] | None


class _Token(Struct, frozen=True):
    """A folded token and the smaller words in it that people may search for as well."""

    text: str
    within: tuple[str, ...] = ()


def strip_invisible(text: str) -> str:
    """Return text without what nobody can see: for equality only, never for storing.

    Outer spaces, runs of spaces, script of digits, tatweel, invisible characters, NFC.
    """
    if _PLAIN.fullmatch(text):
        return text
    if not (text.isascii() and text.isprintable()):
        text = unicodedata.normalize("NFC", re.sub(_UNSEEN, "", text).translate(_WESTERN))
    return " ".join(text.split())


def equal_values(a: object, b: object) -> bool:
    """Return whether two JSON values are equal once normalised; true is not 1, and 1 is 1.0."""
    if isinstance(a, str) and isinstance(b, str):
        return a == b or strip_invisible(a) == strip_invisible(b)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(equal_values, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(equal_values(value, b[key]) for key, value in a.items())
    return isinstance(a, bool) == isinstance(b, bool) and a == b


def fold_text(text: str) -> str:
    """Return text as search compares it: letters, digits, marks, compounds and titles folded."""
    return " ".join(name_tokens(text))


def name_tokens(text: str) -> list[str]:
    """Return the folded tokens of a name; compounds such as عبد الرحمن are one."""
    alone = [_fold_word(raw).terms for raw in text.split()]
    if None not in alone:
        return [terms[0] for terms in alone if terms]
    return [token.text for token in _tokens(text)[0]]


@lru_cache(maxsize=1 << 15)
def skeleton(token: str) -> str:
    """Return the consonants of a folded token in a script of their own; "" if it has a digit.

    محمد, Mohamed and Muhammad all give "mhmd".
    """
    sounds = "".join([_CLASS.get(sound, "") for sound in _sounds(token)])
    sounds = sounds[:1] + sounds[1:].replace("w", "a").replace("y", "a")
    consonants = sounds.removesuffix("h").replace("a", "")
    if not consonants[1:] and sounds.startswith("a"):  # keeps علي from لؤي
        return "a" + consonants
    return consonants


def vowels(token: str) -> list[str]:
    """Return the vowels written before and after each consonant of a folded token's skeleton."""
    found, last = [""], ""
    for at, sound in enumerate(_sounds(token)):
        last = _CLASS.get(sound, "")
        if last in ("", "a") or (last in "wy" and at):
            found[-1] += sound
        else:
            found.append("")
    return found[:-1] if last == "h" and len(found) > 1 else found


def _sounds(token: str) -> list[str]:
    if any(map(str.isdigit, token)):
        return []
    for rules in (() if token.isascii() else _REDUCE_ARABIC, _REDUCE_LATIN if _HAS_LATIN.search(token) else ()):
        for pattern, by in rules:
            token = pattern.sub(by, token)
    found: list[str] = _SOUND.findall(token)
    return found


def search_terms(text: str) -> list[str]:
    """Return the terms under which a text is found: folded words, skeletons, numbers."""
    if _LONG_NUMBER.fullmatch(text):
        return _number_terms(text)
    terms: list[str] = []
    for raw in text.split():
        word = _fold_word(raw)
        if word.terms is None:  # its meaning depends on its neighbours
            return _dependent_terms(text)
        terms += word.terms
    return terms


def date_terms(date: str) -> list[str]:
    """Return the terms under which a date is found: its year, and the whole of it."""
    return [date[:4], *_number_terms(date)] if date[:4].isdigit() else []


def query_terms(text: str) -> list[list[str]]:
    """Return what must be found: for each word asked for, the terms of which any one will do.

    A term with a space in it is several terms that must be found together. At most 16 words of the
    first 500 characters; a dropped title or linker asks for nothing.
    """
    rest, wholes = _split_numbers(text[:_QUERY_LENGTH])
    asked = [_number_terms(whole) for whole in wholes]
    for token in _tokens(rest)[0]:
        asked.append(list(_terms(token.text)))
        if len(token.within) > 1:  # فاطمة الزهراء may be stored as a given and a family name
            asked[-1].append(" ".join(token.within))
        asked[-1] += _other_article(token.text)
    return asked[:_QUERY_WORDS]


def _other_article(token: str) -> list[str]:
    """Return the stored form of a name that a token begins: الحس of الحسن, stored as حسن; الفري, cut to فري, of الفريد."""
    if not token.isalpha() or token.isascii() or len(token) < _PREFIX or token in _NO_ARTICLE:
        return []
    if not token.startswith("ال"):
        return ["ال" + token]
    return [token[2:]] if len(token) == _SHORT else []


def terms_match(words: Collection[str], alternatives: Iterable[str]) -> bool:
    """Return whether a text with these terms has one of the alternatives of `query_terms`, as the full-text index does."""
    return any(all(_in_words(words, part) for part in term.split()) for term in alternatives)


def _in_words(words: Collection[str], term: str) -> bool:
    return term in words or (finds_longer(term) and any(word.startswith(term) for word in words))


def finds_longer(term: str) -> bool:
    """Return whether a term also finds the longer words that it begins."""
    return len(term) >= _PREFIX and "_" not in term


def match_expression(text: str) -> str:
    """Return the FTS5 MATCH expression that finds every word of text, or "" if it has none.

    Only letters, digits and underscores get into a term, and each is quoted: no syntax survives.
    """
    return " AND ".join("(" + " OR ".join(map(_quoted, alternatives)) + ")" for alternatives in query_terms(text))


def _quoted(term: str) -> str:
    if " " in term:
        return "(" + " AND ".join(map(_quoted, term.split())) + ")"
    return '"' + term.replace('"', '""') + ('"*' if finds_longer(term) else '"')


def _terms(token: str) -> tuple[str, ...]:
    bones = skeleton(token)
    return (token, _SKELETON + bones) if bones else (token,)


@lru_cache(maxsize=1 << 15)
def _fold_word(raw: str) -> _Word:
    """Fold one written word by itself: steps 1 to 4 of the ladder."""
    text = raw.translate(_APOSTROPHES)
    if _PLAIN.fullmatch(text):  # nothing to decompose that `_FOLDED` does not know
        text = text.casefold()
    else:
        text = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", re.sub(_UNSEEN, "", text)).casefold())
        text = "".join([sign for sign in text if not unicodedata.combining(sign)])
    pieces = tuple(_NOT_WORD.sub(" ", text.translate(_FOLDED)).split())
    if len(pieces) > 1 or any(map(_depends_on_neighbours, pieces)) or any(map(str.isdigit, text)):
        return _Word(pieces, None)
    return _Word(pieces, _terms(_without_article(pieces[0])) if pieces else ())


def _depends_on_neighbours(piece: str) -> bool:
    """Return whether the meaning of a folded word depends on its neighbours."""
    return piece in _JOINING or bool(_AFTER_LATIN.fullmatch(piece) or _SUN_ARTICLE.fullmatch(piece))


def _dependent_terms(text: str) -> list[str]:
    rest, wholes = _split_numbers(text)
    found, titles = _tokens(rest)
    terms: list[str] = []
    for token in found:
        terms += _terms(token.text)
        for word in token.within:
            terms += _terms(word)
    for title in titles:  # الشيخ may be a family after all
        terms += _terms(_without_article(title))
    for whole in wholes:
        terms += _number_terms(whole)
        for piece in _fold_word(whole).pieces:
            terms += _terms(piece)
    return list(dict.fromkeys(terms))


def _tokens(text: str) -> tuple[list[_Token], list[str]]:
    """Return the folded tokens and the titles dropped before them: steps 5 to 7 of the ladder."""
    words = [piece for raw in text.split() for piece in _fold_word(raw).pieces]
    start = 0
    while start < len(words) - 1 and words[start] in _TITLES:
        start += 1
    found: list[_Token] = []
    at = start
    while at < len(words):
        word, at = words[at], at + 1
        following = words[at] if at < len(words) else ""
        before = _BEFORE.get(word)
        if found and _is_after(word, words[at - 2]):
            last = found.pop()
            tail = word if word in _AFTER else "al" + word[_article_length(word) :]
            apart = () if word in _DIVINE else (_without_article(word),)
            found.append(_Token(last.text + tail, (last.text, *apart)))
        elif before and following and not following.isdigit():
            while at < len(words) - 1 and _is_article(words[at], words[at + 1]):
                at += 1
            name = words[at]
            at += 1
            joined = "ال" + name if before == "عبد" and words[at - 2] == "ال" else name
            found.append(_Token(before + joined, () if name in _DIVINE else (_without_article(name),)))
        elif not (found and word in _LINKERS) and not (following and _is_article(word, following)):
            found.append(_Token(_without_article(word)))
    return found, words[:start]


def _is_article(word: str, following: str) -> bool:
    """Return whether a word is the article of the next word: al Hassan, ash Sharif."""
    sun = _SUN_ARTICLE.fullmatch(word)
    return word in _ARTICLES or (sun is not None and following.startswith(sun[1]))


def _article_length(word: str) -> int:
    """Return how much of eldin or uddin is its article."""
    found = _AFTER_LATIN.fullmatch(word)
    return found.start(1) if found else 0


def _is_after(word: str, previous: str) -> bool:
    """Return whether a word is the second half of the name before it: Nour al Din, Nour Eddine."""
    if word in _AFTER:
        return True
    found = _AFTER_LATIN.fullmatch(word)
    return found is not None and (found.start(1) > 0 or _is_article(previous, word))


def _without_article(word: str) -> str:
    """Return a word without its article, if the rest is long enough to be distinctive."""
    if len(word) <= _SHORT or word in _NO_ARTICLE or word.startswith(_NO_ARTICLE_BEFORE):
        return word
    if word.startswith("ال"):
        return word[2:]
    return word[2:] if len(word) > _SHORT + 1 and _LATIN_ARTICLE.match(word) else word


def _is_whole(written: str) -> bool:
    """Return whether the text is one number or code in pieces, or a long number."""
    digits = sum(map(str.isdigit, written))
    return digits >= _TAIL_DIGITS or (0 < digits < len(written) and not written.isalnum())


def _split_numbers(text: str) -> tuple[str, list[str]]:
    """Return a text without its phones, dates and codes, and these, each as it is written."""
    wholes: list[str] = []

    def cut(found: re.Match[str]) -> str:
        if not _is_whole(found[0]):
            return found[0]
        wholes.append(found[0])
        return " "

    if _DIGIT.search(text):
        text = _NUMBER.sub(cut, _CODE.sub(cut, text.translate(_WESTERN)))
    return text, wholes


def _number_terms(written: str) -> list[str]:
    """Return a number or code in one piece, and the last nine digits that spellings share."""
    whole = written.removeprefix("+")
    if not whole.isascii() or not whole.isdigit():
        whole = _NOT_WORD.sub("", written).lower()
    if whole.isdigit() and len(whole) >= _TAIL_DIGITS:
        return [whole, _TAIL + whole[-_TAIL_DIGITS:]]
    return [whole]
