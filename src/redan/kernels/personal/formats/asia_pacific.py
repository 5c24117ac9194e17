"""Identifiers of Australia, India, Korea, the Philippines, Singapore, Thailand, and of Nigeria and South Africa.

Sources: ATO (TFN), ABR (ABN), ASIC (ACN), Services Australia (Medicare), UIDAI (Aadhaar), Income Tax Department (PAN),
GSTN, ICA and ACRA of Singapore, Korean resident registration act, NIMC, Home Affairs of South Africa.
"""

from __future__ import annotations

from redan.kernels.personal.checksums import a_date, digits, luhn, plain, verhoeff, weighted
from redan.kernels.personal.formats.format import Format

_UEN_KINDS = (
    "LP LL FC PF RF MQ MM NB CC CS MB FM GS GA GB DP CP NR CM CD MD HS VH CH MH CL XL CX RP TU TC FB FN PA PB SS MC SM"
)
_UEN_SIGNS = "ABCDEFGHJKLMNPQRSTUVWX0123456789"
_STATES = (
    "AN AP AR AS BH BR CG CH DD DL DN GA GJ HP HR JH JK KA KL LA LD MH ML MN MP MZ NL OD OR PB PY RJ SK TN TR TS UA UK"
    " UP WB"
)


def abn(text: str) -> bool:
    """Tell whether the weighted sum, its first digit less one, is a multiple of 89."""
    flat = digits(text)
    return (weighted(flat, (10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19)) - 10) % 89 == 0


def acn(text: str) -> bool:
    """Tell whether the last digit completes the weighted sum to a multiple of ten."""
    flat = digits(text)
    return (weighted(flat[:8], range(8, 0, -1)) + int(flat[8])) % 10 == 0


def tfn(text: str) -> bool:
    """Tell whether the weighted sum is a multiple of 11."""
    return weighted(digits(text), (1, 4, 3, 7, 5, 8, 6, 9, 10)) % 11 == 0


def medicare_au(text: str) -> bool:
    """Tell whether the ninth digit is the weighted sum of eight modulo ten."""
    flat = digits(text)
    return weighted(flat[:8], (1, 3, 7, 9) * 2) % 10 == int(flat[8])


def aadhaar(text: str) -> bool:
    """Tell whether the Verhoeff digit is right and it reads not the same backwards."""
    flat = digits(text)
    return flat != flat[::-1] and verhoeff(flat)


def gstin(text: str) -> bool:
    """Tell whether the state code exists (1 to 37)."""
    return 1 <= int(text[:2]) <= 37


def plate_in(text: str) -> bool:
    """Tell whether a plate of the current series names a state."""
    flat = plain(text)
    return text[0] == "I" or len(flat) < 8 or flat[:2] in _STATES.split() or flat[0].isdigit()


def _resident(flat: str, over: int) -> bool:
    return (over - weighted(flat, (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)) % 11) % 10 == int(flat[12])


def rrn(text: str) -> bool:
    """Tell whether the date of birth exists; check digits ended with numbers issued from October 2020."""
    flat = digits(text)
    return a_date(int(flat[:2]), int(flat[2:4]), int(flat[4:6]))


def rrn_checked(text: str) -> bool:
    """Tell whether the check digit of a number before October 2020 is right, for citizens or foreigners."""
    flat = digits(text)
    return _resident(flat, 11) or _resident(flat, 13)


def brn(text: str) -> bool:
    """Tell whether the check digit of a Korean business is right."""
    flat = digits(text)
    last = int(flat[8]) * 5
    return -(weighted(flat[:8], (1, 3, 7, 1, 3, 7, 1, 3)) + last + last // 10) % 10 == int(flat[9])


def licence_kr(text: str) -> bool:
    """Tell whether the region is one of 11 to 28."""
    return 11 <= int(text[:2]) <= 28


def tin_ph(text: str) -> bool:
    """Tell whether the ninth digit is the weighted sum of eight modulo eleven."""
    flat = digits(text)
    return weighted(flat[:8], range(9, 1, -1)) % 11 == int(flat[8])


def uen(text: str) -> bool:
    """Tell whether the check letter of a Singapore entity is right, in each of the three forms."""
    flat = plain(text)
    if len(flat) == 9:
        return "XMKECAWLJDB"[weighted(flat[:8], (10, 4, 9, 3, 8, 2, 7, 1)) % 11] == flat[-1]
    if flat[0].isdigit():
        return "ZKCMDNERGWH"[weighted(flat[:9], (10, 8, 6, 4, 9, 7, 5, 3, 1)) % 11] == flat[-1]
    if flat[3:5] not in _UEN_KINDS.split() or any(sign not in _UEN_SIGNS for sign in flat):
        return False
    total = sum(
        _UEN_SIGNS.index(sign) * weight for sign, weight in zip(flat, (4, 3, 5, 3, 10, 2, 2, 5, 7), strict=False)
    )
    return _UEN_SIGNS[(total - 5) % 11] == flat[-1]


def tnin(text: str) -> bool:
    """Tell whether the check digit is 11 less the weighted sum modulo 11."""
    return (11 - weighted(text[:12], range(13, 1, -1)) % 11) % 10 == int(text[12])


def za_id(text: str) -> bool:
    """Tell whether the date of birth exists and the Luhn digit is right."""
    return a_date(int(text[:2]), int(text[2:4]), int(text[4:6])) and luhn(text)


FORMATS = (
    Format(
        kind="au-abn", title="Australian business number", heads=r"9{11}|99 9", form=r"\d{11}|\d\d \d{3} \d{3} \d{3}",
        check=abn, is_checksum=True, words="abn", is_person=False,
    ),
    Format(
        kind="au-acn", title="Australian company number", heads=r"9{9}|9{3} 9", form=r"\d{9}|\d{3} \d{3} \d{3}",
        check=acn, words="acn", is_person=False,
    ),
    Format(
        kind="au-tfn", title="Australian tax file number", heads=r"9{9}|9{3} 9", form=r"\d{9}|\d{3} \d{3} \d{3}",
        check=tfn, words="tfn tax",
    ),
    Format(
        kind="au-medicare", title="Australian Medicare number", heads=r"9{10}|9{4} 9",
        form=r"[2-6]\d{3}(?:\d{6}| \d{5} \d)",
        check=medicare_au, words="medicare",
    ),
    Format(
        kind="in-aadhaar", title="Indian Aadhaar number", heads=r"9{12}|9{4}[- :]9",
        form=r"[2-9]\d{3}([-: ]?)\d{4}\1\d{4}",
        check=aadhaar, formed=r".{14}", words="aadhaar aadhar uidai",
    ),
    Format(
        kind="in-pan", title="Indian permanent account number", heads="A{5}9{4}A|A9{4}A{5}",
        form=r"[A-Z]{5}\d{4}[A-Z]|[A-Z]\d{4}[A-Z]{5}",
        formed=r"[A-Z]{3}[ABCFGHJLPT][A-Z]\d{4}[A-Z]", words="pan permanent",
    ),
    Format(
        kind="in-gstin", title="Indian goods and services tax number", heads="99[A9]{11}A[A9]",
        form=r"\d\d[A-Z]{5}\d{4}[A-Z][0-9A-Z]Z[0-9A-Z]", check=gstin, formed=r".+", words="gstin gst", is_person=False,
    ),
    Format(
        kind="in-passport", title="Indian passport number", heads=r"A9{7}|A9{2} 9", form=r"[A-Z][1-9]\d ?\d{4}[1-9]",
        words="passport passports",
    ),
    Format(
        kind="in-voter", title="Indian voter number", heads="A{3}9{7}", form=r"[A-Z]{3}\d{7}",
        words="voter epic elector vote",
    ),
    Format(
        kind="in-plate", title="Indian vehicle registration", is_person=False,
        heads="A{1,3}9{4,5}|AA9{1,2}A{1,3}9{4}|99AA9{4}AA?|99A9{6}A|9{1,3}AA9{2,4}",
        form=(
            r"[A-Z](?!0000)\d{4}|[A-Z]{2,3}(?!0000)\d{4}|I(?!00000)\d{5}|[A-Z]{2}\d{1,2}[A-Z]{1,3}(?!0000)\d{4}"
            r"|[2-9][1-9]BH(?!0000)\d{4}[A-HJ-NP-Z]{1,2}|(?!00)\d\d[ABCDEFHKPRX]\d{6}[A-Z]|\d{1,3}(?:CD|CC|UN)[1-9]\d{1,3}"
        ),
        check=plate_in, words="rto vehicle plate registration bike car",
    ),
    Format(
        kind="kr-rrn", title="Korean resident number", heads=r"9{13}|9{6}-9",
        form=r"\d\d(?:0[1-9]|1[0-2])\d\d-?[1-4]\d{6}",
        check=rrn, proof=rrn_checked, formed=r".{14}", words="rrn resident 주민등록번호",
    ),
    Format(
        kind="kr-frn", title="Korean number of a foreigner", heads=r"9{13}|9{6}-9",
        form=r"\d\d(?:0[1-9]|1[0-2])\d\d-?[5-8]\d{6}", check=rrn, proof=rrn_checked, formed=r".{14}",
        words="frn foreigner 외국인등록번호",
    ),
    Format(
        kind="kr-passport", title="Korean passport number", heads="A9{8}|A9{3}A9{4}",
        form=r"[MSROD](?:\d{8}|\d{3}[A-Z]\d{4})",
        words="passport passports 여권",
    ),
    Format(
        kind="kr-driving-licence", title="Korean driving licence number", heads=r"9{12}|99[- ]9",
        form=r"\d\d([- ]?)\d\d\1\d{6}\1\d\d", check=licence_kr, formed=r".*-.*",
        words="license licence driver 운전면허",
    ),
    Format(
        kind="kr-brn", title="Korean business number", heads=r"9{10}|9{3}-9", form=r"\d{10}|\d{3}-\d\d-\d{5}",
        check=brn,
        formed=r".*-.*", words="brn business 사업자등록번호", is_person=False,
    ),
    Format(
        kind="ph-tin", title="Philippine tax number", heads=r"9{9}|9{12}|9{3}-9",
        form=r"\d{9}|\d{12}|\d{3}-\d{3}-\d{3}(?:-\d{3})?",
        check=tin_ph, words="tin bir taxpayer",
    ),
    Format(
        kind="sg-nric", title="Singapore NRIC or FIN", heads="A9{7}A", form=r"[A-Z]\d{7}[A-Z]", formed=r"[STFGM].+",
        words="nric fin",
    ),
    Format(
        kind="sg-uen", title="Singapore entity number", heads="9{8,9}A|A99AA9{4}A", check=uen,
        form=r"\d{8,9}[A-Z]|[TSR]\d\d[A-Z]{2}\d{4}[A-Z]", is_checksum=True, words="uen", is_person=False,
    ),
    Format(
        kind="th-tnin", title="Thai national number", heads="9{13}",
        form=r"[1-9](?:[134]\d|2[0-7]|5[0-8]|[67][0-7]|[89][0-6])\d{10}", check=tnin,
        words="tnin thai เลขประจำตัวประชาชน",
    ),
    Format(
        kind="ng-nin", title="Nigerian national number", heads="9{11}", form=r"\d{11}", check=verhoeff,
        words="nin nimc nigerian nigeria national",
    ),
    Format(
        kind="ng-plate", title="Nigerian vehicle registration", heads="A{3}9{3}AA|9{3}AA", lead=4,
        form=r"[A-Z]{3}[- ]?\d{3}[A-Z]{2}", words="plate plates vehicle registration", is_person=False,
    ),
    Format(
        kind="za-id", title="South African identity number", heads="9{13}", form=r"\d{10}[0-2][89]\d", check=za_id,
        is_checksum=True, words="id identity rsa",
    ),
)  # fmt: skip
