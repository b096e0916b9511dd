"""Makes examples/households.csv: 2,000 invented households, the same ones each time. Nobody in it exists.

python examples/make_households.py
"""

import csv
import random
from datetime import date, timedelta
from pathlib import Path

COUNT = 2_000
FAMILIES = [
    "الأحمد", "الحسن", "الخطيب", "النجار", "الحداد", "الحلبي", "الدمشقي", "الحمصي",
    "الشامي", "الصباغ", "القباني", "العلي", "المصطفى", "السيد", "الخليل", "الإبراهيم",
    "اليوسف", "العيسى", "الشيخ", "الزعبي", "المقداد", "الحريري", "الجاسم", "العبدالله",
    "الرفاعي", "البيطار", "القصير", "الطويل", "درويش", "سليمان", "عثمان", "حمدان",
    "شاهين", "قدور", "عباس", "ديب", "أسعد", "ناصر", "حيدر", "منصور",
    "معروف", "صقر", "غانم", "سلوم", "رمضان", "زيدان", "بركات",
]  # fmt: skip
PLACES = {
    "جبلة": ("حي الجبيبات", "حي الفيض", "حي العمارة", "قرب جامع السلطان إبراهيم", "الكورنيش", "شارع العمارة"),
    "اللاذقية": ("حي الصليبة", "حي الزراعة", "مشروع الصليبة", "حي الرمل الشمالي", "شارع بغداد", "قرب المدينة الجامعية"),
    "القرداحة": ("حي الغربي", "قرب البلدية", "الطريق العام"),
    "الحفة": ("قرب المدرسة الثانوية", "حي الشمالي", "الساحة العامة"),
    "بانياس": ("حي القصور", "قرب المشفى الوطني", "حي الميدان"),
    "كسب": ("الساحة", "طريق الشاطئ"),
}
ORIGINS = ("حلب", "إدلب", "حمص", "حماة", "دير الزور", "الرقة", "درعا", "ريف دمشق", "معرة النعمان", "جسر الشغور")
HOUSING = ("ملك", "إيجار", "استضافة", "مركز إيواء", "بناء غير مكتمل", "خيمة")
DAMAGE = ("لا ضرر", "جزئي", "كبير", "مدمّر")
FIRST_DAY = date(2026, 1, 4)
HEADER = ["اسم العائلة", "رقم دفتر العائلة", "تاريخ التسجيل", "مكان السكن الحالي", "مكان الأصل"]
HEADER += ["العنوان أو علامة مميزة", "الهواتف", "السكن", "ضرر المسكن", "الدخل الشهري", "عملة الدخل"]
HEADER += ["عدد الأفراد المصرح به"]
SIZES = {1: 2, 2: 4, 3: 6, 4: 8, 5: 9, 6: 8, 7: 6, 8: 4, 9: 3, 10: 2, 11: 1, 12: 1}  # how many families are so large


def household(chance: random.Random, number: int) -> list[str]:
    """One row."""
    place = chance.choice(list(PLACES))
    moved = chance.random() < 0.6
    housing = chance.choices(HOUSING, (4, 6, 3, 2, 2, 1))[0]
    count = chance.choices((0, 1, 2), (1, 8, 2))[0]
    phones = [f"09{chance.choice('345689')}{chance.randrange(10**7):07d}" for _ in range(count)]
    income = str(chance.randrange(3, 40) * 50_000) if chance.random() < 0.7 else ""
    book, day = f"{chance.randrange(10, 99)}-{100_000 + number}", FIRST_DAY + timedelta(days=chance.randrange(290))
    row = [chance.choice(FAMILIES), book, day.isoformat(), place, chance.choice(ORIGINS) if moved else place]
    row += [chance.choice(PLACES[place]), "،".join(phones), housing, chance.choice(DAMAGE) if housing == "ملك" else ""]
    row += [income, "ليرة سورية" if income else ""]
    return [*row, str(chance.choices(list(SIZES), list(SIZES.values()))[0])]


def main() -> None:
    """Write the file beside this one."""
    chance = random.Random(2026)
    with Path(__file__).with_name("households.csv").open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        writer.writerows(household(chance, number) for number in range(COUNT))


if __name__ == "__main__":
    main()
