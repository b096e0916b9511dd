"""Known given names: two listed names that differ by a letter are different names, while an unlisted one may be a typing error.

Common given names of the Levant, folded (names.py), their Latin spellings that share their consonants with another name, and
short forms. A name that is not listed is only compared by its letters.
"""

import re
from functools import cache, lru_cache
from operator import itemgetter

_NONE: frozenset[str] = frozenset()
_TWICE = re.compile(r"(.)\1+")
_ENDS = "اهي"  # هدا and هدى, نورا and نورة: one name

_MOST = "محمد احمد علي حسن حسين محمود خالد عمر ابراهيم مصطفي يوسف فاطمه مريم زينب خديجه عايشه امنه"  # of one in a hundred, or more
_COMMON = frozenset(_MOST.split())
_FIRST = frozenset(("محمد", "احمد"))  # what many sons are called before their own name
_NAMES = """
محمد احمد محمود علي حسن حسين ابراهيم خالد عمر يوسف مصطفي عثمان خليل اسماعيل موسي عيسي يعقوب اسحاق داود سليمان زكريا يحيي ايوب يونس ادريس
هارون نوح ادم صالح هود شعيب طه ياسين ياسر سعيد سعد سعود مسعود سليم سالم سلمان سلام سامر سامي سمير سمر جمال جميل كمال كامل كريم كرم اكرم
ناصر نصر نصير منصور نزار نبيل نادر نديم نضال نعيم رامي رايد راشد رشيد رشاد رياض رضا رضوان رمضان رجب شعبان ربيع رفيق رووف زياد زيد زيدان
زين زاهر زهير ماجد مجد مجيد امجد مازن مالك ماهر مامون مويد مجاهد محسن مدحت مراد مرهف مروان معاذ معاويه معتز معن مهدي مهند مومن نوري هادي
هاني هاشم هشام هيثم همام وايل وليد وسيم وسام وحيد يزن يزيد طارق طلال طاهر ظافر عادل عارف عاصم عامر عباس عدنان عدي عزام عزت عصام عقيل عماد
عمار عمران عواد عوض غازي غسان غياث فواد فادي فارس فاروق فاضل فايز فراس فرحان فريد فهد فواز فيصل قاسم قصي قيس لوي ليث لطفي حاتم حازم حامد
حمد حميد حمود حبيب حسام حسان حمزه حيدر حسني جابر جاسم جعفر جلال جهاد جواد جورج جمعه اياد ايهاب اسامه اسعد اشرف امين امير انس انور ايمن
ايهم اوس باسل باسم بسام بشار بشير بدر بلال بكر بها تامر ثامر تيسير توفيق تيم ثاير خضر خلف خلدون خميس دياب رافت راغب زاهي زكي ساير سامح
ساطع سهيل سيف شادي شاكر شاهر شريف شفيق شكري صابر صادق صبحي صفوان صلاح ضيا عابد عبد علا عناد غانم غيث فتحي فوزي لقمان مثني مشعل مصعب مضر
معتصم مفيد ممدوح منذر منير منيف ميلاد ناجي نايف نورس هايل هلال وجيه وضاح ورد بشر كنان كنعان فاطمه مريم زينب خديجه عايشه امنه امينه حليمه
سعاد سعدي سلمي سلوي سميه سميره سنا سماح سهام سهي سهير سوسن ساره رقيه رنا رانيا رنيم ريم ريما رهف رهام رغد رشا رجا رباب راما راميا روي روان
روعه رولا ربي زهره زهرا زهور زكيه نور نورا نوران نوال نهي نهله نجاح نجلا نجوي نجاه ندي نسرين نعيمه ناديه ناديا نادين نايا مني منال مها مي
ميسا ميسون ميس مرام مروه مرح ملك ماجده مديحه لمي لميا لينا لين ليلي ليال ليان لجين لانا لبني كوثر كريمه كفاح ايمان امل اماني اميره اسما
الا ايه اروي اسرا الهام احلام انعام انتصار ابتسام ابتهال بشري بتول بيان براه باسمه بثينه تغريد تسنيم تهاني تالا ثنا جميله جمانه جني جوري
جودي حنان حنين حياه حسنا حورا خلود خوله دعا دلال ديما ديمه دانا دنيا دارين رفاه رحاب رزان سحر سيرين سيدرا شيما شهد شام شذي شروق صفا صبا
صباح ضحي عبير عفاف عليا عزيزه عليه غاده غاليه غزل غفران غصون فاتن فاديه فريده فرح فدا فدوي فوزيه لطيفه هبه هدي هديل هنا هند هيا هيام هاله
هاجر وفا ولا وعد ورده وصال يسري يارا ياسمين زبيده صفيه صبحه فضه مروي مرفت مطيعه وداد
"""
_SERVANTS = """
الله الرحمن الرحيم الكريم الرزاق القادر العزيز الحميد المجيد السلام الباسط الهادي الغني اللطيف الناصر الستار
الحكيم الفتاح الجبار الواحد المنعم الملك الحليم الخالق الوهاب الجليل المعين الحق
"""
_LATIN = {
    "محمد": "mohammad mohamad mohammed mohamed muhammad muhamad muhammed muhamed mouhammad mouhamad mouhamed mehmet muhammet",
    "محمود": "mahmoud mahmud mahmood mahmut mahmod mahmaud",
    "احمد": "ahmad ahmed ahmet",
    "حمد": "hamad",
    "حامد": "hamed hamid",
    "حميد": "hameed hamid",
    "حسن": "hassan hasan hassen hasen",
    "حسان": "hassan hassaan",
    "حسين": "hussein hussain husain husein houssein hossein hussien houssain huseyin hosein hossain",
    "سامر": "samer",
    "سمير": "samir sameer",
    "سمر": "samar",
    "رنا": "rana",
    "رانيا": "rania raniya ranya",
    "نور": "nour nur noor",
    "نورا": "noura nora nura noora",
    "سعد": "saad",
    "سعيد": "said saeed saied saaid",
    "سعاد": "souad suad suaad",
    "سالم": "salem salim",
    "سليم": "salim saleem selim",
    "سليمان": "suleiman soleiman sulaiman souleymane soulaiman sleiman suleyman sulayman soliman",
    "سلمان": "salman",
    "سلام": "salam",
    "سلمي": "salma",
    "جمال": "jamal gamal djamal camal",
    "جميل": "jamil jameel gamil cemil",
    "كمال": "kamal kemal",
    "كامل": "kamel kamil",
    "كريم": "karim kareem kerim",
    "كرم": "karam",
    "اكرم": "akram ekrem",
    "ناصر": "nasser naser nasir",
    "نصر": "nasr",
    "راشد": "rashed rached rashid",
    "رشيد": "rachid rasheed rashid",
    "ماجد": "majed majid",
    "مجيد": "majid majeed",
    "مجد": "majd",
    "امجد": "amjad",
    "امين": "amin ameen",
    "امينه": "amina ameena",
    "امنه": "amneh amna aamina amina",
    "ايمن": "ayman aymen aiman",
    "ايمان": "iman eman imane",
    "فارس": "fares faris",
    "فراس": "firas feras",
    "عامر": "amer amir",
    "امير": "amir ameer",
    "عمر": "omar umar omer",
    "عمار": "ammar",
    "علي": "ali aly",
    "علا": "alaa ala",
    "الا": "alaa ala",
    "ايه": "aya ayah aia",
    "جعفر": "jafar jaafar jafer",
    "وليد": "walid waleed oualid velid",
    "عليا": "alia aliya",
    "ريم": "reem rim",
    "ريما": "rima reema",
    "حنان": "hanan hanane",
    "حنين": "haneen hanin",
    "زيد": "zaid zayd zeid",
    "زياد": "ziad ziyad zeyad",
    "صالح": "saleh salih",
    "صلاح": "salah",
    "مريم": "mariam maryam meryem mariem",
    "مرام": "maram",
    "مروه": "marwa marva",
    "مروان": "marwan marouan",
    "بشار": "bashar bachar",
    "بشير": "bashir bachir",
    "يوسف": "youssef yousef yusuf youssouf",
    "يونس": "younes yunus younis youness",
}
_PET = {
    "فطيم فطوم فطومه فطمه": "فاطمه",
    "علاوي علوش علوشي": "علي",
    "عبود عبودي": "عبدالله عبدالرحمن عبدالكريم عبدالقادر عبدالعزيز عبدالرزاق عبد",
    "امون امونه": "امنه امينه ايمان",
    "عيوش عيشه ايوش عيوشه": "عايشه ايه",
    "زنوبه زنوب": "زينب",
    "ايمو": "ايمان",
    "حماده حموده حمودي حمدو محمدو": "احمد محمد محمود",
    "حسون حسونه": "حسن حسين",
    "خدوج خدوجه": "خديجه",
    "مريوم مريومه": "مريم",
    "برهوم": "ابراهيم",
    "سماعين اسماعين": "اسماعيل",
    "صطوف مصطو": "مصطفي",
    "سلوم": "سليم سليمان سالم سلمان",
    "عموره عموري": "عمر عمار",
    "هدهد هدو": "هدي",
    "زكور زكو": "زكريا",
    "خلودي خلو": "خالد خلود",
    "نواره نورو": "نور نورا",
    "سموره سمسم": "سمير سمر سميره",
}


@lru_cache(maxsize=1 << 15)
def known_meanings(token: str) -> frozenset[str]:
    """Return the names (folded, in Arabic) that a folded token may be; none where it is not known."""
    known = _known_names()
    for one in (token, _TWICE.sub(itemgetter(1), token)):
        if one in known:
            return known[one]
        if one[-1:] in _ENDS:
            for end in _ENDS:
                if one[:-1] + end in known:
                    return known[one[:-1] + end]
    return _NONE


def are_two(a: tuple[str, ...], b: tuple[str, ...]) -> bool:
    """Return whether two names of one token are two known names."""
    if len(a) != 1 or len(b) != 1:
        return False
    mine, its = known_meanings(a[0]), known_meanings(b[0])
    return bool(mine and its and not mine & its)


def is_common(name: tuple[str, ...]) -> bool:
    """Return whether a name begins with a very common one."""
    return bool(name and known_meanings(name[0]) & _COMMON)


def is_first(a: tuple[str, ...], b: tuple[str, ...]) -> bool:
    """Return whether a name is but the first of two that the other consists of: one brother is محمد, another محمد فارس."""
    return len(a) == 1 < len(b) and bool(known_meanings(a[0]) & known_meanings(b[0]) & _FIRST)


def is_kunya(name: tuple[str, ...]) -> bool:
    """Return whether somebody is called after a child: أبو حميد, أم بلال, Abu Hamzah; أبو بكر is a name."""
    word = name[0] if name else ""
    if word.startswith(("ام", "umm")):
        return word.startswith("umm") or known_meanings(word[2:]) != _NONE
    return word.startswith(("ابو", "abu")) and not word.startswith(("ابوبكر", "abubak"))


@lru_cache(maxsize=1 << 12)
def full_names(token: str) -> frozenset[str]:
    """Return the names for which a folded token is short."""
    return _short_forms().get(token, _NONE)


@cache
def _known_names() -> dict[str, frozenset[str]]:
    found = {name: frozenset((name,)) for name in (*_NAMES.split(), *(f"عبد{one}" for one in _SERVANTS.split()))}
    for name, spellings in _LATIN.items():
        for spelling in spellings.split():
            found[spelling] = found.get(spelling, _NONE) | {name}
    return found


@cache
def _short_forms() -> dict[str, frozenset[str]]:
    return {short: frozenset(full.split()) for several, full in _PET.items() for short in several.split()}
