"""What people type after a clean-up day, and what is understood of it."""

import random
import time
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.core.amounts import Amounts, amounts_in
from bot.core.amountwords import MOST
from bot.core.text import compose

WHOLE = {"h": "households", "of": "of_households", "p": "people", "kg": "kg", "t": "trees"}


def some(**short: int) -> Amounts:
    return Amounts(**{WHOLE[name]: value for name, value in short.items()})


NONE = Amounts()

# What somebody types, what is understood, what is left over.
SAID: list[tuple[str, Amounts, str]] = [
    # as the office imagines it
    (
        "120/150 hộ, khoảng 300 người, 2 tấn rác, hai mươi cây",
        some(h=120, of=150, p=300, kg=2000, t=20),
        "",
    ),
    ("so ho tham gia 98 tren 120 ho; rac 1.200 kg", some(h=98, of=120, kg=1200), ""),
    ("co 45 hoc sinh don duoc nua tan", some(p=45, kg=500), ""),
    ("ho: 120, nguoi: 300, rac: 2 tan", some(h=120, p=300, kg=2000), ""),
    ("trong 20 cay xoai", some(t=20), "xoai"),
    ("khong trong cay", some(t=0), ""),
    ("ca thon ra quan 100%", NONE, "ca thon ra quan 100%"),
    ("SO HO: 98/120; NGUOI: 200", some(h=98, of=120, p=200), ""),
    ("Tổng số hộ: 150\nSố hộ tham gia: 120\nSố người: 260", some(h=120, of=150, p=260), ""),
    # weights
    ("1,5 tan", some(kg=1500), ""),
    ("1.5 tấn", some(kg=1500), ""),
    ("1.500 kg", some(kg=1500), ""),
    ("1.200,4 kg", some(kg=1200), ""),
    ("1,200 kg", some(kg=1200), ""),
    ("1,250 tấn", some(kg=1250), ""),
    ("1 200 kg", some(kg=1200), ""),
    ("0,5 tấn rác", some(kg=500), ""),
    ("1/2 tấn rác", some(kg=500), ""),
    ("½ tấn", some(kg=500), ""),
    ("3 ta", some(kg=300), ""),
    ("10 yen", some(kg=100), ""),
    ("500kg", some(kg=500), ""),
    ("500 ký rác", some(kg=500), ""),
    ("80 kí", some(kg=80), ""),
    ("70 cân rác thải", some(kg=70), ""),
    ("60 ki lo", some(kg=60), ""),
    ("60 ki-lô-gam", some(kg=60), ""),
    ("2 tấn rưỡi", some(kg=2500), ""),
    ("hai tấn rưởi", some(kg=2500), ""),
    ("nửa tấn", some(kg=500), ""),
    ("một nửa tấn", some(kg=500), ""),
    ("nửa tạ", some(kg=50), ""),
    ("tạ rưỡi", some(kg=150), ""),
    ("tấn rưỡi rác", some(kg=1500), ""),
    ("2 tấn 3 tạ", some(kg=2300), ""),
    ("1 tấn 200 kg", some(kg=1200), ""),
    ("1 tấn 2", some(kg=1200), ""),
    ("một tấn hai rác", some(kg=1200), ""),
    ("2 tấn 500", some(kg=2500), ""),
    ("500kg và 2 tạ", some(kg=700), ""),
    ("2 tấn rác (2000kg)", some(kg=2000), "2000kg"),
    ("ba chục cân", some(kg=30), ""),
    ("2 tấn cỏ ở bờ mương", some(kg=2000), "cỏ ở bờ mương"),
    ("được 1,2 tấn rác thải nhựa", some(kg=1200), "nhựa"),
    ("rác 300", NONE, "rác 300"),
    ("30 bao rác", NONE, "30 bao rác"),
    ("3 xe rác", NONE, "3 xe rác"),
    ("không cân được rác", NONE, "không cân được rác"),
    ("gom về tận nhà", NONE, "gom về tận nhà"),
    # numbers in words
    ("một trăm hai mươi hộ", some(h=120), ""),
    ("mot tram hai muoi ho", some(h=120), ""),
    ("hai trăm rưỡi người", some(p=250), ""),
    ("trăm rưởi người", some(p=150), ""),
    ("trăm hai người", some(p=120), ""),
    ("một trăm linh năm hộ", some(h=105), ""),
    ("trăm lẻ ba hộ", some(h=103), ""),
    ("chục cây", some(t=10), ""),
    ("hơn chục cây", some(t=10), ""),
    ("hai chục cây bàng", some(t=20), "bàng"),
    ("chục rưỡi cây", some(t=15), ""),
    ("hai lăm cây", some(t=25), ""),
    ("ba tư cây", some(t=34), ""),
    ("hai mốt cây", some(t=21), ""),
    ("mười lăm cây", some(t=15), ""),
    ("hai mươi mốt cây", some(t=21), ""),
    ("nghìn hai cây", some(t=1200), ""),
    ("2 nghìn rưỡi cây", some(t=2500), ""),
    ("1,2 nghìn cây", some(t=1200), ""),
    ("một nghìn hai trăm ba mươi tư cây", some(t=1234), ""),
    ("hai ngàn không trăm năm mươi kg", some(kg=2050), ""),
    ("năm trăm hai mươi nghìn cây", some(t=520_000), ""),
    ("2 trăm 5 người", some(p=250), ""),
    ("tầm chục người", some(p=10), ""),
    ("vài chục người", NONE, "vài chục người"),
    ("vai chuc nguoi, 2 tan", some(kg=2000), "vai chuc nguoi"),
    ("mấy trăm người", NONE, "mấy trăm người"),
    ("hàng trăm người", NONE, "hàng trăm người"),
    ("vài ba người", NONE, "vài ba người"),
    ("hai ba trăm người", NONE, "hai ba trăm người"),
    ("hai trăm ba trăm người", NONE, "hai trăm ba trăm người"),
    ("năm sáu người", NONE, "năm sáu người"),
    ("5-6 người", NONE, "5-6 người"),
    ("từ 100 đến 120 người", NONE, "từ 100 đến 120 người"),
    # households
    ("120 trên 150 hộ", some(h=120, of=150), ""),
    ("120 trong tổng số 150 hộ", some(h=120, of=150), ""),
    ("120 trên tổng số 150 hộ dân", some(h=120, of=150), ""),
    ("hộ 120/150", some(h=120, of=150), ""),
    ("120 / 150 hộ gia đình", some(h=120, of=150), ""),
    ("98 hộ/120 hộ", some(h=98, of=120), ""),
    ("98 hộ trong tổng số 120 hộ", some(h=98, of=120), ""),
    ("120 hộ trên 150", some(h=120, of=150), ""),
    ("120 hộ (trên tổng số 150 hộ)", some(h=120, of=150), ""),
    ("120/150", some(h=120, of=150), ""),
    ("5/6 hộ", some(h=5, of=6), ""),
    ("hộ: 5/6", some(h=5, of=6), ""),
    ("thôn có 150 hộ, tham gia 120 hộ", some(h=120, of=150), "thôn"),
    ("120 hộ tham gia, thôn có 150 hộ", some(h=120, of=150), "thôn"),
    ("tổng số hộ 150, tham gia 120", some(h=120, of=150), ""),
    ("Tổng số hộ tham gia: 120", some(h=120), ""),
    ("80% của 150 hộ", some(h=120, of=150), ""),
    ("100% hộ", NONE, "100% hộ"),
    ("100% hộ tham gia, 300 người", some(p=300), "100% hộ tham gia"),
    ("tổ 1 45 hộ, tổ 2 50 hộ", some(h=95), "tổ 1, tổ 2"),
    ("tổ 1: 45/50 hộ; tổ 2: 40/60 hộ", some(h=85, of=110), "tổ 1, tổ 2"),
    ("80 nhà", some(h=80), ""),
    ("60 gia đình ra dọn", some(h=60), ""),
    ("cả thôn 30 hộ", some(h=30), "cả thôn"),
    ("150/120 hộ", NONE, "150/120 hộ"),
    ("12 hộ vắng", NONE, "12 hộ vắng"),
    ("họ 120 người", some(p=120), "họ"),
    ("rác từ hộ gia đình", NONE, "rác từ hộ gia đình"),
    ("các hộ hai bên đường dọn 2 tấn", some(kg=2000), "các hộ hai bên đường"),
    ("nhà văn hóa: 120 người", some(p=120), "nhà văn hóa"),
    ("3 nhà văn hóa", NONE, "3 nhà văn hóa"),
    ("ủng hộ 20 cây", some(t=20), "ủng hộ"),
    ("ủng hộ 5 triệu đồng", NONE, "ủng hộ 5 triệu đồng"),
    # people
    ("40 học sinh và 5 thầy cô", some(p=45), ""),
    ("trường tiểu học 200 em, 15 thầy cô", some(p=215), "trường tiểu học"),
    ("5 cô 3 thầy 40 bạn", some(p=48), ""),
    ("thon 5 co 3 nguoi", some(p=3), "thon 5"),
    ("45 em học sinh lớp 5A", some(p=45), "lớp 5A"),
    ("số học sinh tham gia 45 em", some(p=45), ""),
    ("45 cán bộ, giáo viên, học sinh", some(p=45), ""),
    ("hs 200, gv 12", some(p=212), ""),
    ("300 lượt người", some(p=300), ""),
    ("mn đi đông lắm, 300 ng", some(p=300), "mn đi đông lắm"),
    ("bà con 300, rác 2 tấn", some(p=300, kg=2000), ""),
    ("10 cán bộ, chiến sĩ và 30 đoàn viên", some(p=40), ""),
    ("45 người, trong đó 5 đoàn viên", some(p=45), "trong đó 5 đoàn viên"),
    ("45 người gồm 40 học sinh và 5 thầy cô", some(p=45), "40 học sinh và 5 thầy cô"),
    ("45 người (40 hs, 5 gv)", some(p=45), "40 hs, 5 gv"),
    ("40 hs, 5 gv, tổng 45 người", some(p=45), "40 hs, 5 gv"),
    ("Tổng số học sinh tham gia: 45, giáo viên: 5", some(p=50), ""),
    ("trên 200 người", some(p=200), ""),
    ("trên dưới 200 người", some(p=200), ""),
    ("gần 200 người, hơn 100 hộ", some(p=200, h=100), ""),
    ("chừng 50 bà con", some(p=50), ""),
    ("~ 300 người", some(p=300), ""),
    ("120 hộ, trên 200 người", some(h=120, p=200), ""),
    ("120 hộ trên 200 người", some(h=120, p=200), ""),
    ("1.200 người", some(p=1200), ""),
    ("1,200 người", some(p=1200), ""),
    ("1,5 người", NONE, "1,5 người"),
    ("300 người à nhầm 320 người", some(p=320), "300 người à nhầm"),
    ("mỗi hộ 2 người", NONE, "mỗi hộ 2 người"),
    ("mỗi hộ 1 người, 120 hộ", some(h=120), "mỗi hộ 1 người"),
    ("2 người/hộ", NONE, "2 người/hộ"),
    ("Hội phụ nữ 45 chị em, 3 tạ", some(p=45, kg=300), "Hội phụ nữ"),
    ("Đoàn thanh niên: 30 đoàn viên, trồng 50 cây xanh", some(p=30, t=50), "Đoàn thanh niên"),
    ("45 em trên 2 xe rác", some(p=45), "2 xe rác"),
    # trees
    ("không trồng cây", some(t=0), ""),
    ("k trong cay", some(t=0), ""),
    ("ko co cay", some(t=0), ""),
    ("không có cây nào", some(t=0), ""),
    ("chưa trồng cây", some(t=0), ""),
    ("Cây: không", some(t=0), ""),
    ("0 cây", some(t=0), ""),
    ("không trồng cây nào, 120 hộ", some(t=0, h=120), ""),
    ("45 học sinh không trồng cây", some(p=45, t=0), ""),
    ("20 cây xoài, 10 cây mít", some(t=30), "xoài, mít"),
    ("bà con trồng 20 cây", some(t=20), "bà con"),
    ("120 hộ trồng 150 cây", some(h=120, t=150), ""),
    ("chặt 5 cây", NONE, "chặt 5 cây"),
    ("đi 5 cây số", NONE, "đi 5 cây số"),
    ("2 cây/hộ", NONE, "2 cây/hộ"),
    ("20 cây trên 500 m đường", some(t=20), "500 m đường"),
    # any order, no punctuation
    ("120 ho 300 nguoi 2 tan 20 cay", some(h=120, p=300, kg=2000, t=20), ""),
    ("hộ 120 người 300 rác 2 tấn cây 20", some(h=120, p=300, kg=2000, t=20), ""),
    ("2 tấn, 20 cây, 120 hộ", some(h=120, kg=2000, t=20), ""),
    ("hộ - 120, người - 300", some(h=120, p=300), ""),
    ("- 120 hộ\n- 300 người\n- 2 tấn", some(h=120, p=300, kg=2000), ""),
    ("120 hộ + 300 người + 2 tấn", some(h=120, p=300, kg=2000), ""),
    ("ho120 nguoi300 rac2tan", some(h=120, p=300, kg=2000), ""),
    ("bà con ra quân 120 hộ", some(h=120), "bà con"),
    ("120 hộ tham gia. Đường sạch đẹp!", some(h=120), "Đường sạch đẹp"),
    ("ra quân tổng vệ sinh 120 hộ", some(h=120), ""),
    (
        "em báo cáo bác: thôn 3 có 98/120 hộ tham gia, được 1,2 tấn rác ạ",
        some(h=98, of=120, kg=1200),
        "em báo cáo bác: thôn 3",
    ),
    (
        "Thôn 5 báo cáo: có 85/112 hộ tham gia với 130 người, thu gom khoảng 1,8 tấn, trồng mới 25 cây xanh.",
        some(h=85, of=112, p=130, kg=1800, t=25),
        "Thôn 5",
    ),
    ("CCB 20 dong chi, 2 ta rac", some(p=20, kg=200), "CCB"),
    ("xóm 4 có 60 hộ thì 55 hộ tham gia", some(h=55, of=60), "xóm 4"),
    (
        "55 trên 60 hộ, người thì khoảng 90, rác tầm 7 tạ, cây không trồng",
        some(h=55, of=60, p=90, kg=700, t=0),
        "",
    ),
    ("số người 90 số hộ 55 số rác 700kg số cây 0", some(h=55, p=90, kg=700, t=0), ""),
    ("huy động được 1 trăm người và 2 xe tải, gần 3 tấn", some(p=100, kg=3000), "2 xe tải"),
    ("100% ho (112/112), 200 nguoi", some(h=112, of=112, p=200), "100% ho"),
    ("chi hoi phu nu thon 2: 32 chi em, 5 ta rac", some(p=32, kg=500), "chi hoi phu nu thon 2"),
    ("co 98 ho, 1tan2 rac", some(h=98, kg=1200), ""),
    # days, hours, places, telephones
    ("sáng 5/6 ra quân 120 hộ", some(h=120), "sáng 5/6"),
    ("sáng 5/6 hộ tham gia 120, 45 em", some(h=120, p=45), "sáng 5/6"),
    ("bà con ra quân 5/6", NONE, "bà con ra quân 5/6"),
    ("5/6", NONE, "5/6"),
    ("30/4 dọn 1/5 cũng dọn", NONE, "30/4 dọn 1/5 cũng dọn"),
    ("ngày 5/6/2026 120 hộ", some(h=120), "ngày 5/6/2026"),
    ("5/6/2026 hộ 120", some(h=120), "5/6/2026"),
    ("tháng 6 năm 2026 trồng 20 cây", some(t=20), "tháng 6 năm 2026"),
    ("thứ 7 120 hộ", some(h=120), "thứ 7"),
    ("6 giờ", NONE, "6 giờ"),
    ("6h30 tập trung 120 hộ", some(h=120), "6h30 tập trung"),
    ("6:30 có 45 em", some(p=45), "6:30"),
    ("6 giờ rưỡi 45 em", some(p=45), "6 giờ rưỡi"),
    ("từ 6h đến 9h, 45 em", some(p=45), "từ 6h đến 9h"),
    ("thôn 3 hộ 120/150", some(h=120, of=150), "thôn 3"),
    ("thôn 3: 120/150 hộ, 2 tấn", some(h=120, of=150, kg=2000), "thôn 3"),
    ("thon ba 120 ho", some(h=120), "thon ba"),
    ("khu phố 2: 80 hộ/100 hộ, 160 người", some(h=80, of=100, p=160), "khu phố 2"),
    ("lh 0912 345 678, 120 hộ", some(h=120), "lh 0912 345 678"),
    ("0912345678 hộ", NONE, "0912345678 hộ"),
    ("0912 345 678 hộ 120", some(h=120), "0912 345 678"),
    # nothing, or nothing that can be
    ("120", NONE, "120"),
    ("", NONE, ""),
    ("  đông vui lắm ạ ", NONE, "đông vui lắm ạ"),
    ("-5 hộ", NONE, "-5 hộ"),
    ("hộ: -5", NONE, "hộ: -5"),
    ("99999999 cây", NONE, "99999999 cây"),
    ("10 triệu cây", some(t=10_000_000), ""),
    ("11 triệu cây", NONE, "11 triệu cây"),
    ("20.000 tấn", NONE, "20.000 tấn"),
    ("007 người", NONE, "007 người"),
    ("1.2.3 kg", NONE, "1.2.3 kg"),
]


@pytest.mark.parametrize(("text", "amounts", "rest"), SAID)
def test_what_people_type_is_understood(text: str, amounts: Amounts, rest: str) -> None:
    assert amounts_in(text) == (amounts, rest)


@pytest.mark.parametrize("text", [text for text, _, _ in SAID])
def test_it_does_not_matter_how_letters_are_made(text: str) -> None:
    usual = amounts_in(text)[0]
    assert amounts_in(unicodedata.normalize("NFD", text)) == amounts_in(text)
    assert amounts_in(text.upper())[0] == usual


def test_there_are_many_lines() -> None:
    assert len(SAID) >= 120


def test_a_share_alone_is_of_what_is_asked() -> None:
    assert amounts_in("400/420", whole="people") == (Amounts(people=400), "")
    assert amounts_in("400/420 hộ", whole="people") == (Amounts(households=400, of_households=420), "")


@pytest.mark.parametrize(
    ("old", "new", "both"),
    [
        (some(h=1, p=2), some(p=3, t=0), some(h=1, p=3, t=0)),
        (NONE, some(kg=5), some(kg=5)),
        (some(kg=5), NONE, some(kg=5)),
        (some(h=98, of=120), some(h=100), some(h=100, of=120)),
        (some(h=98, of=120), some(h=130), some(h=130)),
        (some(h=98, of=120), some(of=90), some(of=90)),
    ],
)
def test_the_newer_value_wins(old: Amounts, new: Amounts, both: Amounts) -> None:
    assert old.merged(new) == both


def test_empty_is_nothing_at_all() -> None:
    assert NONE.empty
    assert not some(t=0).empty


WORDS = st.sampled_from(
    [
        *sorted({word for text, _, _ in SAID for word in text.split()}),
        "trăm",
        "nghìn",
        "rưỡi",
        "/",
        "-",
        ":",
        "(",
        ")",
        "\n",
        "0",
        "mỗi",
        "không",
        "triệu",
        "%",
        "lẻ",
        "mươi",
    ]
)
TEXTS = st.text(max_size=80) | st.lists(WORDS, max_size=25).map(" ".join) | st.lists(WORDS).map("".join)


@settings(max_examples=500, deadline=None)
@given(TEXTS)
def test_anything_may_be_typed(text: str) -> None:
    amounts, rest = amounts_in(text)
    for name in WHOLE.values():
        value = getattr(amounts, name)
        assert value is None or 0 <= value <= MOST
    if amounts.of_households is not None and amounts.households is not None:
        assert amounts.households <= amounts.of_households
    assert len(rest) <= 2 * len(text) + 2
    if amounts.empty:
        assert rest == compose(text).strip()


def dotted(value: int) -> str:
    return f"{value:,}".replace(",", ".")


COUNT = st.none() | st.integers(0, MOST)


@settings(max_examples=300, deadline=None)
@given(COUNT, COUNT, COUNT, COUNT, st.integers(0, 500), st.sampled_from([str, dotted]), st.randoms())
def test_what_is_written_out_is_read_back(
    households: int | None,
    people: int | None,
    kg: int | None,
    trees: int | None,
    missing: int,
    written: type[str],
    chance: random.Random,
) -> None:
    of = None
    if households is not None and missing % 2 and households + missing <= MOST:
        of = households + missing
    amounts = Amounts(households, of, people, kg, trees)
    share = "" if of is None else f"/{written(of)}"
    pieces = [
        f"{written(value)}{more} {unit}"
        for value, more, unit in (
            (households, share, "hộ"),
            (people, "", "người"),
            (kg, "", "kg"),
            (trees, "", "cây"),
        )
        if value is not None
    ]
    chance.shuffle(pieces)
    assert amounts_in(", ".join(pieces)) == (amounts, "")
    assert amounts_in(" ".join(pieces))[0] == amounts


@pytest.mark.parametrize(
    "piece",
    [
        "120 hộ ",
        "hai ",
        "trăm ",
        "mỗi hộ ",
        "1/",
        "người, ",
        "(",
        "9",
        "a",
        "0912345678 ",
        "hộ ",
        "/ ",
        "không ",
        "co ",
        "tổng ",
        "1 em, em, ",
        "nhầm ",
        "\n",
        "đ́",
        "-",
        "nửa tấn ",
        "120 trên ",
    ],
)
def test_a_flood_takes_linear_time(piece: str) -> None:
    def took(count: int) -> float:
        begun = time.process_time()
        amounts_in(piece * count)
        return time.process_time() - begun

    took(100)
    assert took(20_000) < 40 * took(1_000) + 0.5
