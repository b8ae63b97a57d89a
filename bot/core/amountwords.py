"""The words by which people say how many: units, scales, and what may stand around a number."""

from typing import Final

from bot.core.text import fold, toneless

MOST: Final = 10_000_000
"""Nothing that a commune does is more than this; what is said to be is not an amount."""

HOUSEHOLDS, PEOPLE, KG, TREES = "households", "people", "kg", "trees"

# Short words that are another word under other marks (`họ`, `từ`, `sau`): with marks, only these count.
MEANT: Final = {
    fold(spelt.split()[0]): frozenset(spelt.split()) | {toneless(form) for form in spelt.split()}
    for row in (
        "một mốt, hai, ba, bốn, tư, năm, lăm, nhăm, sáu, bảy bẩy, tám tầm, chín, mười mươi, chục, trăm",
        "nghìn, ngàn, triệu, rưỡi rưởi, linh, lẻ, nửa, tấn, tạ, yến, cân, ký, kí, hộ, nhà, cây, em, cháu",
        "dân, mỗi, trên, không, chưa, tổ, đội đôi, khu, xóm, ấp, phố, cụm, khối, cầu, lần, đợt, vài, mấy",
        "hàng, dăm, tổng, giờ, độ, cỡ, trồng trong, chặt, cắt, vắng, nghỉ, thiếu, nhầm, gồm, của, là, tối",
        "có, đạt, đến, gần, được, dọn, rác, thu, các, quân, luôn, cộng",
    )
    for spelt in row.split(", ")
}
ONLY_MARKED: Final = frozenset({"cô", "thầy", "bạn"})  # unmarked, they are `có`, `thấy`, `ban`


def _phrases(*rows: tuple[str, int, str]) -> dict[tuple[str, ...], tuple[str, int]]:
    return {tuple(name.split()): (what, factor) for what, factor, names in rows for name in names.split(", ")}


_UNITS: Final = _phrases(
    (KG, 1, "kg, kgs, kilogam, kilo, ki, ky, can, ki lo, ki lo gam, ky lo, ky lo gam, kilo gam"),
    (KG, 1, "ki - lo, ki - lo - gam"),
    (KG, 10, "yen"),
    (KG, 100, "ta"),
    (KG, 1000, "tan"),
    (HOUSEHOLDS, 1, "ho, nha, gia dinh, ho dan, ho gia dinh, nha dan, nong ho"),
    (TREES, 1, "cay, cay xanh, cay con, cay giong, goc cay, cay bong mat, cay xanh bong mat"),
    (PEOPLE, 1, "nguoi, nguoi dan, nhan dan, dan, ba con, hoc sinh, hs, thay co, thay co giao"),
    (PEOPLE, 1, "co giao, thay giao, giao vien, gv, cbgv, doan vien, dvtn, thanh nien, hoi vien, can bo"),
    (PEOPLE, 1, "chien si, bo doi, cong an, dan quan, thanh vien, em, chau, phu huynh, phu nu, chi em"),
    (PEOPLE, 1, "anh em, anh chi em, ong ba, co bac, cac chau, cac em, nguoi cao tuoi, cuu chien binh, ccb"),
    (
        PEOPLE,
        1,
        "nong dan, dang vien, nhan vien, cong nhan, vien chuc, cong chuc, tinh nguyen vien, dong chi",
    ),
    (PEOPLE, 1, "doi vien, sinh vien, thieu nhi, thanh thieu nien, luot nguoi"),
)
# What only looks like a unit.
_OTHERS: Final = _phrases(
    ("", 0, "nha van hoa, nha truong, nha ve sinh, nha tro, nha cua, nha nuoc, nha may, nha tho, nha tre"),
    ("", 0, "nha o, nha kho, nha hang, ho khau, ho tich, ung ho, bao ho, cuu ho, giam ho, giup ho, don ho"),
    ("", 0, "cay so, cay xang, cay nuoc, cay cot, nguoi ta, can nuoc, tan noi, tan nha, ta luy, dan pho"),
    ("", 0, "dan cu, dan sinh, ho nuoc, yen tam, cay co, cay coi, em ho, mot so, mot phan"),
)
KNOWN: Final = _UNITS | _OTHERS
LONGEST: Final = max(map(len, KNOWN))
NO_LABEL: Final = frozenset({"em", "chau", "co", "thay", "ban", "chi em", "anh em", "co bac", "ong ba"})

SCALES: Final = {"chuc": 10, "tram": 100, "nghin": 1000, "ngan": 1000, "trieu": 1_000_000}
VAGUE: Final = frozenset({"vai", "may", "hang", "dam", "doi", "nhieu"})


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


ROUGHLY: Final = _set(
    "khoang chung hon gan tren duoi tam uoc tinh xap xi it nhat toi thieu do co dau den du chi gom ca ~ ≈ +"
)
BEFORE_DATE: Final = _set("ngay sang chieu trua toi hom mung mong nhat cn t7 bay")
BEFORE_COUNT: Final = _set("ngay mung mong thang quy tuan dot lan khoa so")
NAMED: Final = _set(
    "thon xom to doi khu khoi ap pho cum lop ngo ngach hem kenh cau duong hoi doan tdp kp kdc th"
)
ALL_OF: Final = _set("ca toan moi mot trong tron")
CLOCK: Final = _set("gio h g ph phut p tieng")
JOINED: Final = _set("va voi cung")
LINK: Final = _set(
    "tham gia ra quan la co dat duoc da moi dan huy dong tong so cong luot vao len hien xanh thi mới"
    " : = - – — ( *"
)
BRIEF_LINK: Final = _set("la tham gia : =")
AFTER: Final = _set("so tham ra rac don thu gom trong duoc a nhe dat tong chiem roi het cac da vao luong")
BETWEEN: Final = _set("luot cac toan the goc anh chi vi dong")
LOST: Final = _set("vang nghi thieu")
FELLED: Final = _set("chat tia cat cua nho bung do gay")
CORRECTED: Final = frozenset({("sua", "lai"), ("dinh", "chinh")})
TOOK_PART: Final = _set("gia quan")
OF: Final[tuple[tuple[str, ...], ...]] = (
    ("trong", "tong", "so"),
    ("tren", "tong", "so"),
    ("trong", "so"),
    ("tren", "tong"),
    ("trong", "tong"),
    ("tren",),
    ("trong",),
    ("cua",),
    ("/",),
)
HARD: Final = frozenset(",;.!?()\n[]•|…")
FILL: Final = (
    (ROUGHLY | LINK | JOINED | AFTER)
    | _set("thai ve sinh lam ket qua bao cao moi nguoi thi xong minh trong hay")
) - _set("khoi")
SOFT: Final = " \t-–—:+=*/~≈\"'“”"
