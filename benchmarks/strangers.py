"""Large lists of registered persons, some registered twice; made without knowing how the program compares persons.

The names are Syrian. Names, families and villages are the same in every list, however long: a longer list has more
people, not more names. All chance comes from `random.Random(seed).random`, which Python promises to keep.
"""

import argparse
import heapq
import itertools
import random
from bisect import bisect
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import NamedTuple


class Person(NamedTuple):
    """One registration; `truth` is the same in all registrations of one person."""

    truth: int
    given: str
    father: str
    grandfather: str
    family: str
    mother: str
    sex: str
    birth_date: str
    phone: str
    place: str
    household: int


TODAY = 2024
Chance = Callable[[], float]
Pool = tuple[list[str], list[float]]  # names, and their weights added up
Known = tuple[Person, str, str]  # a person as the family knows them, the mother's own family, the tribe
Registered = tuple[Person, tuple[str, ...] | None]  # what is wrong in the second registration; None in the first


def words(text: str) -> list[str]:
    """Return the words of a list; an underscore stands for a space inside of a name."""
    return [word.replace("_", " ") for word in text.split()]


def pairs(text: str) -> list[tuple[str, str]]:
    """Return the pairs of a list."""
    return [(before, after) for before, _, after in (word.partition("=") for word in words(text))]


# per mille after the colon; those without share what is left, the earlier ones more
NAMES = {
    "m": """محمد:78 أحمد:58 علي:32 حسين:24 حسن:23 محمود:26 خالد:22 إبراهيم:21 مصطفى:20 عمر:20 يوسف:20 عبد_الله:19 عبد_الرحمن:10 خليل:9
إسماعيل:9 ياسر:8 عبد_الرزاق:6 عبد_القادر:6 عبد_الكريم:6 جاسم:6 صالح:7 حمزة:7 بلال:6 فيصل:5 عبد_العزيز:5 عبد_الحميد:5 عيسى:6 موسى:6
سليمان:6 ياسين:6 جمعة:5 خلف:5 عبود:4 سعيد:5 محمد_علي:4 محمد_نور:3 محمد_خير:2 عماد مروان ماهر سامر باسل عدنان غسان نبيل جمال كمال وليد
طارق زياد هشام ناصر عامر أيمن أنس معاذ عبيدة قصي عدي مهند يحيى هيثم رامي فادي شادي رائد بسام حسام سامي نزار فراس أسامة إياد رضوان فواز
نواف نايف فؤاد مؤيد لؤي قاسم جعفر عباس حيدر رضا صلاح_الدين نور_الدين علاء_الدين بدر_الدين سيف_الدين عز_الدين حسام_الدين علاء بهاء ضياء
حذيفة مصعب عمار أمين سليم عادل فارس فهد مراد منصور هاني إسحاق داود يونس عثمان طه عبد_الجبار عبد_الغني عبد_المجيد عبد_الستار عبد_السلام
عبد_الوهاب عبد_اللطيف عبد_الحليم عبد_الرحيم عبد_الملك عبد_الناصر عبد_الهادي فضل_الله نصر_الله عطا_الله حمد حماد عيد رمضان شعبان رجب""",
    "f": """فاطمة:45 مريم:24 عائشة:15 خديجة:15 آمنة:12 زينب:17 نور:14 هدى:11 أمينة:9 حليمة:8 سارة:9 إيمان:10 ريم:9 رنا:7 أسماء:9 سعاد:8
سميرة:7 هبة:7 ولاء:6 إسراء:7 آية:8 رهف:6 سلمى:6 مها:6 منى:8 ليلى:7 رقية:7 صفاء:6 وفاء:6 هناء:6 ابتسام أمل أماني أميرة بتول بشرى بيان
تغريد ثريا جميلة حنان حياة خلود خولة دانا دعاء ديما رانيا رشا رغد رنيم روان ريما زهراء زهرة سكينة سلوى سمر سناء سهى شذى شيماء صباح صفية
ضحى عبير غادة فايزة لبنى لمى لينا مرام مروة منال ميساء نادية نجلاء ندى نسرين نوال نورة هالة هاجر وداد ياسمين يسرى نور_الهدى أم_كلثوم""",
    "old m": """حج_محمد دياب عبدو حمدو هلال مرعي عقلة مطر صطوف دحام حسون شحادة فرج ذيب درويش برهو حمادة سطام عوض""",
    "old f": """فطوم خدوج عيوش حميدة وضحة ترفة غزالة شيخة عليا حمدة صبحة خاتون هدلة فضة نايفة وحيدة نظيرة بهية عدلة""",
    "new m": """كريم آدم يزن تيم جود قيس إلياس ريان سند نوح كنان ورد أمير إبراهيم_خليل زين يامن تيسير مجد أوس""",
    "new f": """جنى لمار ريتاج سيدرا لين حلا جوري تالا ماسة شام بيسان لجين ميار تسنيم رفيف ألمى يارا إيلاف رؤى سدرة_المنتهى""",
    "kurdish m": """آزاد شيار جوان دلشاد برزان بنكين كاوا سيبان هوشنك ريزان محمد أحمد حسن شيخموس عكيد جيان روني هوزان رشو عمر""",
    "kurdish f": """روجين بيريفان هيفين شيرين نارين جيهان كلستان نسرين فاطمة زينب خناف دلفين آفين جوانا برفين سوزان هيلين""",
    "christian m": """جورج إلياس حنا ميشيل عيسى جوزيف بطرس طوني نقولا سمير سامر فادي ميلاد كريكور هاكوب إبراهيم يوسف فرح مطانيوس إيلي""",
    "christian f": """ماري مريم رانيا رنا تيريز سميرة ندى مارينا كريستين حنة هيلانة جاكلين نجاح سلوى وداد ليلى كارول ريتا""",
}
FAMILIES = words("""المحمد الأحمد العلي الحسين الحسن الخلف العبد_الله الإبراهيم الصالح الخطيب الحمود الجاسم العيسى الموسى الحاج_علي اليوسف
الخليل العمر المصطفى المحمود النجار الحداد الحلبي محمد أحمد علي حسين الشيخ السيد حسن الحموي الحمصي السعيد العثمان إبراهيم خليل الحمد
السليمان عثمان الإسماعيل الخالد الحاج_حسين المصري درويش الشامي العباس الأسعد الرفاعي الحريري العبود الدرويش النعيمي الخضر الفارس الحلاق
الخياط العطار أبو_زيد أبو_حمدان الأطرش سويدان الإدلبي أرناؤوط حاج_إبراهيم حاج_بكري شيخو أوسو عبدو آل_رشي بن_طالب ابن_الشيخ""")
ROOTS = words("""حمد سعد سلم كرم رشد صلح فرج شهب حرب سمر بدر ظهر خلد نصر صبر شكر جبر عمر بكر حسن جمل كمل نبل فضل عدل قبل سهل وصل خطب رجب
شرب كتب حلب عرب قطب ركب لبد زيد رصد جرد برد حصد نجد مجد عبد فهد شهد نمر قمر شمر صقر بقر شعر نظر مطر عطر خضر حضر غزل نزل عزل بطل فحل نحل
كحل ملح قرح فرح سرح مرح شرح طرح فتح نجح جمع سمع لمع رفع نفع شفع صنع برع شجع رجع خشع درع زرع حرق برق شرق طرق غرق صدق سبق عشق علق سلق حلق
رزق عرق كنز حبس لبس عبس جلس فلس نفس غرس فرس حرس درس كرس ترس شمس لمس نقش عرش قرش فرش بطش عطش قبض نبض عرض فرض ربط ضبط خلط خيط شرط قرط حفظ
ملك سلك شبك نعم طعم لحم حكم عصم قسم رسم وسم نجم هشم نظم حلم علم عزم حزم جزم سكن حصن غصن ركن دهن رهن طحن فطن قطن بطن سجن""")
PATTERNS = words("123 1ا23 12ا3 12ي3 12و3 م12و3 123ان أ123 123ون 1ي23 12ا3ة 123و 123وش 123ة 123اوي 1و23 12ا3ي 123اني")
GIRLS = words("1ا23ة 12ي3ة 12و3 م12و3ة 123ى 12ا3 123ية أ12ا3 12و3ة")
HEADS = words("تل كفر عين دير بيت خربة جب أم رسم خان قلعة مزرعة وادي شيخ حي مخيم تجمع جسر معرة بئر سد قصر عرب")
GROUNDS = words("""الرمان الزيتون التين الحمام النور السلامة الكرامة الخابور حجر الذهب الأحمر حمدان الغربي الشرقي طيبة العاصي الورد النسر
رمانة الجوز البيضاء الهوى الكروم جبرين نبل شمال مارع الفستق سمعان حرير الخضراء الطويل عثمان الغار الحصن قطنا عرنوس الصفصاف ياسين""")
# name, people from there, people who live there now, per cent of Kurdish and of Christian villages, name of one from there
GOVERNORATES = words("""حلب:23:19:12:3:الحلبي ريف_دمشق:14:12:0:5:الدمشقي دمشق:8:9:5:6:الشامي إدلب:9:22:0:1:الإدلبي حمص:9:6:0:9:الحمصي
حماة:8:6:0:4:الحموي الحسكة:7:8:35:6: دير_الزور:7:4:0:0: اللاذقية:5:5:1:5:اللاذقاني درعا:5:4:0:2:الحوراني الرقة:5:5:7:0:
طرطوس:4:4:0:7:الطرطوسي السويداء:2:2:0:4:الجبلي القنيطرة:2:1:0:0:الجولاني""")
TRIBES = words("""البكاري العكيدي الشمري الجبوري الطائي العنزي النعيمي الحديدي الموالي الفدعاني البوشعبان السخني""")
SPELLINGS = """ياسين يس|داود داوود|رضا رضى|نورة نورا نوره|دعاء دعا|لجين لوجين|رؤى روى رؤا|مؤيد مويد|فايزة فائزة فايزه|نايف نائف|
عائشة عيشة عايشة|مروة مروى مروا|هيثم هيتم|مصطفى مصطفا|يحيى يحيا|إلياس الياس|جمعة جمعا|سيدرا سدرا سيدرة|خضر خضير خدر"""
VARIANTS = {name: group.split() for group in SPELLINGS.split("|") for name in group.split()}
TURKISH = dict(pairs("محمد=مهمت أحمد=احمت خديجة=هاتيجه عائشة=ايشه فاطمة=فاتما حسين=هوسين عمر=اومر يوسف=يوسوف"))
THROUGH_LATIN = dict(zip("طصضظحقثذغخعؤئ", "تسدزهكتدجهاوي", strict=True))
NICKNAMES = dict(pairs("فاطمة=فطوم خديجة=خدوج عائشة=عيوش زينب=زنوبة مريم=مريومة حليمة=حلوم"))
LOOKALIKES, KEYS = words("بتثني جحخ دذ رز سش صض طظ عغ فق كل هة او"), words("ضصثقفغعهخحجد شسيبلاتنمكط ئءؤرلاىةوزظ")
BARE = str.maketrans("أإآ", "ااا")
OTHER_WAYS = pairs("أ=ا إ=ا آ=ا ة=ه ى=ا ئ=ي ؤ=و عبد_=عبد أبو_=ابو_ أبو_=بو_ _الدين=الدين اء=ا")
# shares of offices that do so, and of second registrations where a name that can be changed so is
HABITS = {"no hamza": 0.35, "ه for ة": 0.12, "ى for ي": 0.05, "glued": 0.12, "بن": 0.02, "+963": 0.3,
          "no grandfather": 0.12, "no mother": 0.07, "mother's family": 0.4}  # fmt: skip
CHANGES = {"compound shortened": 0.22, "spelling": 0.14, "through Latin": 0.07, "mistyped": 0.16}


class House(NamedTuple):
    """A household as one office registers it."""

    number: int
    place: str
    phone: str
    habits: frozenset[str]


def pool(names: Iterable[str], weights: Iterable[float]) -> Pool:
    """Make something to draw from."""
    return list(names), list(itertools.accumulate(weights))


def drawn(names: Pool, chance: float) -> str:
    """Return the name at this part of the weights."""
    return names[0][bisect(names[1], chance * names[1][-1], 0, len(names[1]) - 1)]


def built(patterns: Iterable[str]) -> list[str]:
    """Put the three letters of every root into these patterns."""
    return [pattern.translate(dict(zip(b"123", root, strict=True))) for root in ROOTS for pattern in patterns]


def given_names(common: str, *others: tuple[list[str], float]) -> Pool:
    """Names with their shares; those without share what is left, and each list of `others` has so much per mille."""
    shares = {name: float(share or 0) for name, _, share in (word.partition(":") for word in words(common))}
    left = 1000 - sum(shares.values()) - sum(share for _, share in others)
    for names, share in [([name for name in shares if not shares[name]], left), *others]:
        weights = [1 / (80 + rank) for rank in range(len(names))]
        for name, weight in zip(names, weights, strict=True):
            shares[name] = shares.get(name, 0) + share * weight / sum(weights)
    return pool(shares, shares.values())


def styled(text: str, habits: frozenset[str]) -> str:
    """Write a name after the habits of an office."""
    text = text.translate(BARE) if "no hamza" in habits else text
    text = text.replace("ة", "ه") if "ه for ة" in habits else text
    text = text.replace("عبد ", "عبد").replace(" الدين", "الدين") if "glued" in habits else text
    return text[:-1] + "ى" if "ى for ي" in habits and text.endswith("ي") else text


def changed(text: str, kind: str, chance: Chance) -> str:
    """Write a name in another way, if there is one."""
    at, x, (head, _, rest) = int(chance() * len(text)), chance(), text.partition(" ")
    before, letter, after = text[:at], text[at : at + 1], text[at + 1 :]
    if kind == "compound shortened":
        later = head in words("أبو آل ابن بن حاج الحاج شيخ أم") or (x < 0.4 and rest not in {"الدين", "الله"})
        return ("عبد", "عبدو", "عبود", rest)[int(x * 4)] if head == "عبد" else rest if later and rest else head
    if kind == "spelling":
        forms = {text.replace(*way): True for way in OTHER_WAYS} | dict.fromkeys(VARIANTS.get(text, ()), True)
        return (others := [form for form in forms if form != text] or [text])[int(x * len(others))]
    if kind == "through Latin":  # which has no ح, ص or ع
        return TURKISH.get(text) or "".join(THROUGH_LATIN.get(it, it) if chance() < 0.8 else it for it in text)
    if x < 0.7:  # a look-alike or the key beside it
        group = next((group for group in (LOOKALIKES if x < 0.5 else KEYS) if letter in group), letter or " ")
        return before + group[(group.find(letter) + (1 if chance() < 0.5 else -1)) % len(group)] + after
    return before + after if x < 0.87 and len(text) > 3 else before + after[:1] + letter + after[1:]


class Registrar:
    """Makes families and writes them down, once or more often."""

    def __init__(self, seed: int) -> None:
        self.people, self.houses = itertools.count(1), itertools.count(1)
        self.chance = chance = random.Random(2011).random  # names, families and villages are the same in every list

        def shuffled(names: Iterable[str]) -> list[str]:
            return sorted(dict.fromkeys(names), key=lambda _: chance())

        rare = {"m": shuffled(built(PATTERNS[:9])), "f": shuffled(built(GIRLS))}
        self.names = {key: given_names(NAMES[key]) for key in NAMES if key.startswith(("kurdish", "christian"))}
        for sex, (era, old, new) in itertools.product("mf", (("old", 70, 1), ("middle", 15, 20), ("new", 2, 110))):
            others = ((words(NAMES[f"old {sex}"]), old), (words(NAMES[f"new {sex}"]), new), (rare[sex], 25))
            self.names[f"{era} {sex}"] = given_names(NAMES[sex], *others)
        plain = built(PATTERNS)
        tail = plain + ["ال" + name for name in plain] + ["ال" + name + "ي" for name in plain if name[-1] not in "يةو"]
        tail += ["أبو " + name for name in built(PATTERNS[:8])]
        tail += [f"{head} {name}" for head in ("حاج", "الحاج", "شيخ", "آل") for name in self.names["old m"][0][:500]]
        families = list(dict.fromkeys([*FAMILIES, *shuffled(tail)]))
        self.families = pool(families, (1 / (12 + rank) for rank in range(len(families))))
        self.villages: dict[str, tuple[str, str, Pool]] = {}
        born, living = list[float](), list[float]()
        for governorate, *numbers, called in (word.split(":") for word in GOVERNORATES):
            from_there, there_now, kurds, christians = map(float, numbers)
            for rank, name in enumerate(shuffled(f"{head} {ground}" for head in HEADS for ground in GROUNDS)[:300]):
                people = "kurdish" if (x := 100 * chance()) < kurds else "christian" if x < kurds + christians else ""
                own = [drawn(self.families, chance()) for _ in range(24)]
                tribe = called if called and chance() < 0.75 else TRIBES[int(chance() * len(TRIBES))]
                self.villages[f"{governorate} - {name}"] = tribe, people, pool(own, (1 / (1.5 + i) for i in range(24)))
                born.append(from_there / (6 + rank))
                living.append(there_now / (6 + rank) * (4 if name.startswith(("مخيم", "تجمع")) else 1))
        self.origins, self.hosts = pool(self.villages, born), pool(self.villages, living)
        self.chance = random.Random(seed).random

    def number(self) -> str:
        """Make a mobile phone's number."""
        return f"09{'33445689'[int(self.chance() * 8)]}{int(self.chance() * 10_000_000):07d}"

    def house(self, place: str, phone: str) -> House:
        """Bring a household to an office with some habits."""
        habits = frozenset(habit for habit, share in HABITS.items() if self.chance() < share)
        return House(next(self.houses) * 2_654_435_761 % 2**32, place, phone, habits)  # says nothing of neighbours

    def given(self, people: str, sex: str, year: int) -> str:
        """Draw a given name of this time."""
        x = self.chance()
        if people and x < (0.6 if people == "kurdish" else 0.97):
            return drawn(self.names[f"{people} {sex}"], self.chance())
        era = "old" if year < 1965 else "middle" if year < 2000 else "new"
        name = drawn(self.names[f"{era} {sex}"], self.chance())
        return f"محمد {name}" if 0.1 < x < 0.145 and sex == "m" and " " not in name and name != "محمد" else name

    def person(self, house: House, given: str, line: tuple[str, str, str, str, str, str], sex: str, year: int) -> Known:
        """Make a person; older people tell a round year, or papers say 1 January; grown-ups may have phones."""
        chance, x, first = self.chance, self.chance(), 0.35 if year < 1960 else 0.18 if year < 1985 else 0.07
        phone, sex = self.number() if year < 2006 and chance() < 0.2 else house.phone, "" if chance() < 0.01 else sex
        year -= year % 5 if year < 1980 and chance() < 0.18 else 0
        month = 1 + int(chance() * 12)
        day = 1 + int(chance() * (28 if month == 2 else 30 if month in {4, 6, 9, 11} else 31))
        birth = f"{year}-01-01" if x < 0.07 + first else f"{year}-{month:02d}-{day:02d}"
        birth = birth if x > 0.07 else "" if x < 0.01 else birth[:4] if x < 0.06 else f"{year}-{month:02d}"
        return Person(next(self.people), given, *line[:4], sex, birth, phone, house.place, house.number), *line[4:]

    def clan(self) -> Iterator[tuple[House, list[Known]]]:
        """Make the households of one to three brothers."""
        chance = self.chance
        tribe, people, families = self.villages[origin := drawn(self.origins, chance())]
        given = partial(self.given, people)

        def family(near: float) -> str:
            return drawn(families if chance() < near else self.families, chance())

        def another(taken: set[str], ancestor: str, sex: str, year: int) -> str:
            name = ancestor if sex == "m" and chance() < 0.14 else given(sex, year)
            while name in taken:
                name = given(sex, year)
            taken.add(name)
            return name

        year = TODAY - 20 - int(58 * chance() ** 1.9)
        father, grandfather, mother = given("m", year - 28), given("m", year - 55), given("f", year - 26)
        own, mothers = family(0.7), family(0.6)
        home, brothers = origin if chance() < 0.45 else drawn(self.hosts, chance()), {father}
        for _ in range(1 + (chance() < 0.35) + (chance() < 0.15)):
            name = another(brothers, grandfather, "m", year)
            place = home if chance() < 0.7 else drawn(self.hosts, chance())
            phone = f"0944{sum(map(ord, place)) * 7919 % 1_000_000:06d}"  # of the one in the place who has a phone
            house = self.house(place, phone if (x := chance()) < 0.02 else "" if x < 0.2 else self.number())
            line = (father, grandfather, own, mother, mothers, tribe)
            members = [self.person(house, name, line, "m", year)] if chance() < 0.86 else []
            wed, kin = year + int(chance() * 9) - 1, chance()  # the wife is a cousin, a relative, or neither
            above, hers = grandfather if kin < 0.12 else given("m", wed - 55), own if kin < 0.3 else family(0.5)
            line = (given("m", wed - 28), above, hers, given("f", wed - 26), family(0.5), tribe)
            members.append(self.person(house, wife := given("f", wed), line, "f", wed))
            if chance() < 0.05:
                line = (given("m", 1930), given("m", 1900), mothers, given("f", 1930), own, tribe)
                members.append(self.person(house, mother, line, "f", year - 17 - int(chance() * 12)))
            line = (name, father, own, wife, hers, tribe)
            names, born, wanted = {name}, wed + 18 + int(chance() ** 2 * 12), 4 + int(chance() * 7)
            while born <= TODAY and born < wed + 44 and wanted:
                sex, wanted = "m" if chance() < 0.512 else "f", wanted - 1
                child = another(names, father, sex, born)
                if TODAY - born < (22 if sex == "m" else 18) or chance() < 0.2:
                    members.append(self.person(house, child, line, sex, born))
                    if chance() < 0.015 and (twin := given(sex, born)) not in names:
                        members.append((members[-1][0]._replace(truth=next(self.people), given=twin), hers, tribe))
                born += 1 + int(chance() * 2.7)
            year += 1 + int(chance() * 8)
            yield house, members

    def written(self, known: Known, house: House) -> Person:
        """Write a person down."""
        (person, hers, _), (number, place, _, habits) = known, house
        given, father, grandfather, family, mother = (styled(name, habits) for name in person[1:6])
        if "1" < person.birth_date < "1965" and self.chance() < 0.04:
            given = ("الحاجة " if person.sex == "f" else "الحاج ") + given
        mother = f"{mother} {styled(hers, habits)}" if "mother's family" in habits and mother else mother
        mother = "" if "no mother" in habits else mother
        father = f"{'بنت' if person.sex == 'f' else 'بن'} {father}" if "بن" in habits else father
        grandfather = "" if "no grandfather" in habits else grandfather
        phone = "+963" + person.phone[1:] if "+963" in habits and person.phone else person.phone
        return Person(person.truth, given, father, grandfather, family, mother, *person[6:8], phone, place, number)

    def wrong(self, known: Known, first: House, house: House, members: list[Known]) -> Registered:
        """Write a person down at another office, and tell what went wrong there."""
        (person, hers, tribe), chance = known, self.chance
        names, sex, birth, phone, kinds = list(person[1:6]), person.sex, person.birth_date, person.phone, list[str]()

        def happens(rate: float, kind: str) -> bool:
            if happened := chance() < rate:
                kinds.append(kind)
            return happened

        names[:2] = names[1::-1] if happens(0.025, "given and father swapped") else names[:2]
        names[3] = tribe if happens(0.06, "tribe for family") else names[3]
        for kind, rate in CHANGES.items():
            forms = [(at, form) for at in range(5) if (form := changed(names[at], kind, chance)) != names[at]]
            if forms and happens(rate, kind):
                at, names[at] = forms[int(chance() * len(forms))]
        names[2] = "" if happens(0.1, "grandfather left out") else names[2]
        if happens(0.06, "mother by nickname"):
            sons = [other.given for other, *_ in members if (other.mother, other.sex) == (person.mother, "m")]
            names[4] = NICKNAMES.get(person.mother, f"أم {(sons or ['محمد'])[0]}")
        names[4] = "" if happens(0.08, "mother left out") else names[4]
        if len(birth) == 10 and birth[5:7] != birth[8:] < "13" and happens(0.05, "day and month swapped"):
            birth = f"{birth[:4]}-{birth[8:]}-{birth[5:7]}"
        if birth and happens(0.1, "year off"):
            birth = f"{min(TODAY, int(birth[:4]) + (-1, 1, -1, 1, -2, 2)[int(chance() * 6)])}{birth[4:]}"
        if birth[4:] not in {"", "-01-01"} and happens(0.14, "only the year"):
            birth = birth[:4] + ("-01-01" if chance() < 0.4 else "")
        sex = "" if sex and happens(0.05, "sex left out") else sex
        if house.phone not in {first.phone, phone}:
            phone = house.phone
            kinds.append("another phone" if phone else "no phone")
        kinds += ["moved"] * (house.place != first.place)
        kinds += ["another office's habits"] * (self.written(known, first)[1:6] != self.written(known, house)[1:6])
        given, father, grandfather, family, mother = names
        new = Person(person.truth, given, father, grandfather, family, mother, sex, birth, phone, "", 0)
        return self.written((new, hers, tribe), house), tuple(kinds)

    def again(self, first: House, members: list[Known]) -> Iterator[list[Registered]]:
        """Register some persons, and some whole households, again."""
        chance, few = self.chance, [[known] for known in members if self.chance() < 0.028]
        groups = [[known for known in members if chance() < 0.9]] if chance() < 0.024 else few
        for group in itertools.chain.from_iterable([group] * (2 if chance() < 0.12 else 1) for group in groups):
            phone = self.number() if (x := chance()) < 0.25 else "" if x < 0.33 else first.phone
            house = self.house(drawn(self.hosts, chance()) if chance() < 0.27 else first.place, phone)
            house = house._replace(habits=first.habits) if chance() < 0.7 else house  # from the same papers
            yield [self.wrong(known, first, house, members) for known in group]


def explained(count: int, seed: int) -> Iterator[Registered]:
    """Yield registrations, each with what is wrong in it, or with None if it is the person's first."""
    registrar, waiting, order, made = Registrar(seed), list[tuple[int, int, Registered]](), itertools.count(), 0
    for house, members in itertools.chain.from_iterable(registrar.clan() for _ in itertools.count()):
        if made + len(waiting) >= count:
            break
        for known in members[: count - made]:
            yield registrar.written(known, house), None
            made += 1
        for group in registrar.again(house, members):
            due = made + int(registrar.chance() * min(200_000, count - made))
            for registered in group:
                heapq.heappush(waiting, (due, next(order), registered))
        while waiting and waiting[0][0] <= made < count:
            yield heapq.heappop(waiting)[2]
            made += 1
    yield from (registered for _, _, registered in sorted(waiting)[: count - made])


def registrations(count: int, seed: int) -> Iterator[Person]:
    """Yield the registrations of a list, the same for the same seed."""
    return (person for person, _ in explained(count, seed))


def main() -> None:
    """Print what a list is like."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    tops = {what: Counter[str]() for what in ("men", "women", "family", "given and father", "decade")}
    wrong, kinds, known, examples = Counter[int](), Counter[str](), dict[int, Person](), list[str]()
    different = set[int]()
    for person, errors in explained(asked.count, asked.seed):
        if errors is not None:
            wrong[len(errors)] += 1
            kinds.update(errors)
            if person.truth in known and len(examples) < 40:
                example = known[person.truth], person, ["  " + (", ".join(errors) or "no error")], [""]
                examples.extend(" | ".join(map(str, line)) for line in example)
            continue
        if person.truth % 97 == 0 and person.truth < 30_000:
            known[person.truth] = person
        tops["women" if person.sex == "f" else "men"][person.given] += 1
        tops["family"][person.family] += 1
        tops["given and father"][f"{person.given} {person.father}"] += 1
        tops["decade"][person.birth_date[:3]] += 1
        different.add(hash((person.given, person.father, person.family)))
    seconds, persons = wrong.total(), tops["family"].total()
    print(f"{asked.count:,} registrations of {persons:,} persons")
    print(f"{len(different):,} different given, father and family; {seconds / asked.count:.1%} registered again")
    for what, names in tops.items():
        shown = ", ".join(f"{name} {times / names.total():.2%}" for name, times in names.most_common(12))
        print(f"{what}: {len(names):,} different: {shown}")
    print("errors:", ", ".join(f"{number}: {times / seconds:.0%}" for number, times in sorted(wrong.items())))
    print("which:", ", ".join(f"{kind} {times / seconds:.0%}" for kind, times in kinds.most_common()))
    print("\n".join(examples))


if __name__ == "__main__":
    main()
