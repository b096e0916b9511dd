"""Noisy persons living in households, and which of them are one: made without a line of the matcher's code.

`others` is a list that somebody else made, who had not seen this program nor this file: other names, weights and kinds of noise, all
of them invented; it was looked at by nobody who works on the matcher.

Names and their Latin spellings are in names.tsv (name lists and spellings as they occur in Wikidata, CC0): part A to tune on,
part B, with other names and other noise, held back. A clan is a grandfather's: his sons' households share his name and the
family's, cousins are called after him, siblings share all but their own name and birthday.
"""

import datetime
import lzma
import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path

_NAMES = Path(__file__).parent / "names.tsv"
_OTHERS = Path(__file__).parent / "others.tsv.xz"
_PLACES = [f"{kind} {n}" for kind in ("جبلة", "القرداحة", "الحفة", "كسب", "ربيعة", "بانياس") for n in range(1, 15)]
_LETTERS = "ابتثجحخدذرزسشصضطظعغفقكلمنهوي"
_SOUNDS = (
    "a b t th j h kh d dh r z s sh s d t z a gh f q k l m n h o i",  # the alphabet
    "a a i a a a o e",  # ة ى إ and their like
)
_LATIN = dict(zip(_LETTERS + "ةىإأآءؤئ", " ".join(_SOUNDS).split(), strict=True))


@dataclass(frozen=True)
class Noise:
    """How a second registration differs from the first: a kind's share of the duplicates."""

    twice: float = 0.15
    spelling: float = 0.30
    latin: float = 0.15
    typo: float = 0.15
    no_father: float = 0.08
    no_grandfather: float = 0.35
    no_mother: float = 0.30
    swapped: float = 0.06
    day_month: float = 0.06
    heaped: float = 0.12
    year_only: float = 0.12
    year_off: float = 0.06
    no_date: float = 0.06
    phone: float = 0.35
    no_phone: float = 0.20
    moved: float = 0.30
    titled: float = 0.04
    most: int = 8
    # beside these, drawn apart: who has a name in Latin letters, other names, and how they differ from what is registered
    passport: float = 0.12
    called: float = 0.08
    brothers: float = 0.01
    known_as: float = 0.03
    misread: float = 0.04
    latin_only: float = 0.05


TUNED = Noise()
HELD = Noise(
    twice=0.12, spelling=0.4, latin=0.22, typo=0.12, no_father=0.06, no_grandfather=0.5, no_mother=0.4, swapped=0.04,
    day_month=0.05, heaped=0.18, year_only=0.10, year_off=0.08, no_date=0.05, phone=0.45, no_phone=0.3, moved=0.4, titled=0.06,
    passport=0.18, called=0.06, brothers=0.015, known_as=0.04, misread=0.03, latin_only=0.07,
)  # fmt: skip


@dataclass(frozen=True)
class Person:
    """One registration; `who` says whom it is of."""

    who: int
    household: int
    given: str
    father: str
    grandfather: str
    family: str
    mother: str
    sex: str
    birth: str
    precision: str
    phone: str
    place: str
    latin: str = ""
    alias: str = ""
    home_name: str = "الأسرة"
    home_phone: str = ""
    kinds: tuple[str, ...] = field(default=())


class Names:
    """A part's names, the common ones more often, and how each is written in Latin letters."""

    def __init__(self, part: str, rng: random.Random) -> None:
        self._rng = rng
        self._lists: dict[str, list[str]] = {"m": [], "f": [], "s": []}
        self.spellings: dict[str, list[str]] = {}
        for line in _NAMES.read_text(encoding="utf-8").splitlines():
            of, role, name, latin = line.split("\t")
            if of == part:
                self._lists[role].append(name)
                self.spellings[name] = [one for one in latin.split("|") if one]
        self._weights = {
            role: [1 / (place + 6) ** (0.55 if role == "s" else 0.8) for place in range(len(names))]
            for role, names in self._lists.items()
        }

    def draw(self, role: str) -> str:
        """Return a man's (m), a woman's (f) or a family's name (s)."""
        return self._rng.choices(self._lists[role], self._weights[role])[0]

    def latin(self, name: str) -> str:
        """Return one of a name's Latin spellings; one made letter by letter where none is known."""
        known = self.spellings.get(name)
        if known:
            return self._rng.choices(known, [1 / (n + 1) for n in range(len(known))])[0]
        return " ".join(self._spelt(word) for word in name.split())

    def _spelt(self, word: str) -> str:
        made = ""
        for letter in word:
            sound = _LATIN.get(letter, "")
            if sound and made and made[-1] not in "aeiou" and sound[0] not in "aeiou":
                made += self._rng.choice("aaei")
            made += sound
        return made.capitalize()


def registrations(n: int, *, part: str, seed: int, noise: Noise) -> list[Person]:
    """Return about `n` registrations, first and second ones mixed."""
    rng = random.Random(seed)
    names = Names(part, rng)
    first: list[Person] = []
    second: list[Person] = []
    households = iter(range(10_000_000))
    base = round(n / (1 + noise.twice * 1.1))
    while len(first) < base:
        first += _clan(rng, names, households, len(first))
    del first[base:]
    for one in rng.sample(first, round(base * noise.twice)):
        copies = 2 if rng.random() < 0.1 else 1
        second += [_again(rng, names, one, noise, households) for _ in range(copies)]
    found = first + second
    rng.shuffle(found)
    rng = random.Random(seed + 1)
    return _named_otherwise(rng, Names(part, rng), first, found, noise)


def document(one: Person) -> tuple[dict[str, object], dict[str, object]]:
    """Return a registration as a record has it: the person's fields, and the household's. No national number."""
    parts = ("given", "father", "grandfather", "family", "mother", "sex")
    fields: dict[str, object] = {name: getattr(one, name) for name in parts if getattr(one, name)}
    fields |= {"birth_precision": one.precision} | ({"birth_date": one.birth} if one.birth else {})
    fields |= ({"name_latin": one.latin} if one.latin else {}) | ({"aliases": [one.alias]} if one.alias else {})
    return fields | ({"phones": [one.phone]} if one.phone else {}), {"location": one.place}


def others() -> list[Person]:
    """Return the list that somebody else made: 10,000 registrations."""
    rows = lzma.decompress(_OTHERS.read_bytes()).decode().splitlines()
    return [Person(int(who), int(home), *rest) for who, home, *rest in (row.split("\t") for row in rows)]


def truth(people: list[Person]) -> set[tuple[int, int]]:
    """Return the pairs of places that are one person."""
    places: dict[int, list[int]] = {}
    for place, one in enumerate(people):
        places.setdefault(one.who, []).append(place)
    return {pair for same in places.values() for pair in combinations(same, 2)}


def _clan(rng: random.Random, names: Names, households: Iterator[int], number: int) -> list[Person]:
    family, grandfather, great = names.draw("s"), names.draw("m"), names.draw("m")
    born = rng.randint(1925, 1960)
    made: list[Person] = []

    def add(
        household: int, given: str, lineage: tuple[str, str, str, str], sex: str, year: int, home: tuple[str, str]
    ) -> None:
        father, grand, fam, mother = lineage
        day = datetime.date(year, 1, 1) + datetime.timedelta(days=rng.randrange(365))
        precision = "day"
        if rng.random() < (0.25 if year < 1975 else 0.05):
            day, precision = day.replace(month=1, day=1), "year"
        phone = home[0] if rng.random() < 0.6 else (_phone(rng) if rng.random() < 0.6 else "")
        made.append(
            Person(
                number + len(made),
                household,
                given,
                father,
                grand,
                fam,
                mother,
                sex,
                day.isoformat(),
                precision,
                phone,
                home[1],
            )
        )

    wife_of_old = names.draw("f")
    for son in range(rng.randint(1, 4)):
        household = next(households)
        home = _phone(rng), rng.choice(_PLACES)
        father = names.draw("m")
        his = born + 20 + 3 * son + rng.randint(0, 4)
        wife, her_family = names.draw("f"), names.draw("s")
        add(household, father, (grandfather, great, family, wife_of_old), "m", his, home)
        add(
            household,
            wife,
            (names.draw("m"), names.draw("m"), her_family, names.draw("f")),
            "f",
            his + rng.randint(0, 9),
            home,
        )
        if son == 0 and rng.random() < 0.4:
            add(household, grandfather, (great, names.draw("m"), family, names.draw("f")), "m", born, home)
        used: set[str] = set()
        year = his + rng.randint(21, 28)
        for child in range(rng.randint(0, 7)):
            sex = rng.choice("mf")
            given = grandfather if sex == "m" and child < 2 and rng.random() < 0.35 else names.draw(sex)
            if given in used or given == father:
                continue
            used.add(given)
            if year > 2025:
                break
            add(
                household,
                given,
                (father, grandfather, family, f"{wife} {her_family}" if rng.random() < 0.3 else wife),
                sex,
                year,
                home,
            )
            year += 0 if rng.random() < 0.02 else rng.randint(1, 4)
    return made


def _phone(rng: random.Random) -> str:
    return f"+9639{rng.choice('34568')}{rng.randrange(10**7):07d}"


_BESIDE = ("twice", "most", "passport", "called", "brothers", "known_as", "misread", "latin_only")


def _named_otherwise(
    rng: random.Random, names: Names, first: list[Person], found: list[Person], noise: Noise
) -> list[Person]:
    """Give some their name in Latin letters, or another name; of those registered twice, some are known by that alone."""
    found = [_beside(rng, names, one, first, noise) for one in found]
    places: dict[int, list[int]] = {}
    for place, one in enumerate(found):
        places.setdefault(one.who, []).append(place)
    for place, again in (same[:2] for same in places.values() if len(same) > 1):
        one, other, true = found[place], found[again], first[found[place].who]
        if rng.random() < noise.known_as:  # one office writes what people call her, the other her name and that
            called = _called(rng, names, true)
            found[place], found[again] = replace(one, alias=called), _marked(other, "known_as", given=called)
        elif rng.random() < noise.misread:  # the form misspells the name, and has it rightly as another
            alias = _whole(rng, true.given, true)
            found[again] = _marked(other, "misread", given=_typo(rng, _typo(rng, other.given)), alias=alias)
        elif rng.random() < noise.latin_only:  # read from a passport, into one field or two
            whole = _passport(rng, names, true)
            given, _, rest = whole.rpartition(" ") if rng.random() < 0.5 else (whole, "", "")
            blank = {"father": "", "grandfather": "", "mother": ""}
            found[place] = replace(one, latin=whole)
            found[again] = _marked(other, "latin_only", given=given, family=rest, **blank)
    return found


def _marked(one: Person, kind: str, **changes: str) -> Person:
    return replace(one, kinds=(*one.kinds, kind), **changes)  # type: ignore[arg-type]


def _beside(rng: random.Random, names: Names, one: Person, first: list[Person], noise: Noise) -> Person:
    true = first[one.who]
    if rng.random() < noise.passport:
        one = replace(one, latin=_passport(rng, names, true))
    if rng.random() < noise.called:
        one = replace(one, alias=_called(rng, names, true))
    elif rng.random() < noise.brothers:  # what a brother or neighbour is called
        one = replace(one, alias=rng.choice(first[max(0, one.who - 4) : one.who + 5]).given)
    return one


def _called(rng: random.Random, names: Names, one: Person) -> str:
    if rng.random() < 0.6:
        return ("أبو " if one.sex == "m" else "أم ") + names.draw("m")
    return _whole(rng, names.draw(one.sex), one)


def _whole(rng: random.Random, given: str, one: Person) -> str:
    return f"{given} {one.family}" if one.family and rng.random() < 0.3 else given


def _passport(rng: random.Random, names: Names, one: Person) -> str:
    parts = (one.given, one.father if rng.random() < 0.5 else "", one.family)
    return " ".join(names.latin(part) for part in parts if part)


def _again(rng: random.Random, names: Names, one: Person, noise: Noise, households: Iterator[int]) -> Person:
    kinds = [name for name, share in vars(noise).items() if name not in _BESIDE and rng.random() < share]
    kinds = rng.sample(kinds, min(len(kinds), noise.most))
    if not kinds:
        kinds = ["spelling"]
    for kind in sorted(kinds, key=lambda kind: kind == "latin"):  # what is misspelt is misspelt in Arabic first
        one = _change(rng, names, one, kind, households)
    return replace(one, kinds=tuple(kinds))


def _change(rng: random.Random, names: Names, one: Person, kind: str, households: Iterator[int]) -> Person:
    year, month, day = map(int, one.birth.split("-")) if one.birth else (0, 0, 0)
    match kind:
        case "spelling":
            return _names(one, lambda text: _respelt(rng, text))
        case "latin":
            return _names(one, names.latin)
        case "typo":
            part = rng.choice([name for name in ("given", "father", "family", "mother") if getattr(one, name)])
            return replace(one, **{part: _typo(rng, getattr(one, part))})
        case "no_father":
            return replace(one, father="", grandfather="")
        case "no_grandfather":
            return replace(one, grandfather="")
        case "no_mother":
            return replace(one, mother="")
        case "swapped":
            a, b = rng.choice((("given", "father"), ("father", "grandfather"), ("father", "family")))
            return replace(one, **{a: getattr(one, b) or getattr(one, a), b: getattr(one, a)})
        case "day_month" if one.birth and day <= 12:
            return replace(one, birth=f"{year}-{day:02d}-{month:02d}")
        case "heaped" if one.birth:
            return replace(one, birth=f"{year}-{rng.choice(('01-01', '01-01', '07-01'))}")
        case "year_only" if one.birth:
            return replace(
                one, birth=f"{year + rng.choice((0, 0, 0, 1, -1))}-01-01", precision=rng.choice(("year", "estimate"))
            )
        case "year_off" if one.birth:
            return replace(
                one,
                birth=f"{min(year + rng.choice((-1, 1, 10, -10, 2)), 2025)}{one.birth[4:]}".replace("-02-29", "-02-28"),
            )
        case "no_date":
            return replace(one, birth="", precision="none")
        case "phone":
            return replace(one, phone=_phone(rng))
        case "no_phone":
            return replace(one, phone="")
        case "moved":
            return replace(one, place=rng.choice(_PLACES), household=next(households))
        case "titled" if one.given and "\u0621" <= one.given[0] <= "\u064a":
            return replace(one, given=rng.choice(("الحاج ", "الشيخ ", "السيد ")) + one.given)
    return one


def _names(one: Person, change: "object") -> Person:
    told = {part: getattr(one, part) for part in ("given", "father", "grandfather", "family", "mother")}
    return replace(one, **{part: " ".join(change(word) for word in [text]) for part, text in told.items() if text})  # type: ignore[operator]


def _respelt(rng: random.Random, text: str) -> str:
    rules = [
        ("أ", "ا"),
        ("إ", "ا"),
        ("آ", "ا"),
        ("ة", "ه"),
        ("ى", "ي"),
        ("ي", "ى"),
        ("ؤ", "و"),
        ("ئ", "ي"),
        ("عبد ", "عبد"),
    ]
    for old, new in rng.sample(rules, 5):
        at_end = old == "ي"
        text = text.replace(old, new) if not at_end else text.removesuffix(old) + (new if text.endswith(old) else "")
    if rng.random() < 0.1 and not text.startswith("ال") and " " not in text and len(text) > 4:
        text = "ال" + text
    return text


def _typo(rng: random.Random, text: str) -> str:
    if len(text) < 3:
        return text
    letters = _LETTERS if text[1] > "\u0600" else "abdefhiklmnorstuy"
    at = rng.randrange(1, len(text))
    match rng.randrange(4):
        case 0:
            return text[:at] + text[at + 1 :]
        case 1:
            return text[:at] + rng.choice(letters) + text[at:]
        case 2:
            return text[:at] + rng.choice(letters) + text[at + 1 :]
    return text[: at - 1] + text[at] + text[at - 1] + text[at + 1 :] if at > 1 else text
