"""Identifiers of the United States, Canada and Brazil.

Sources: SSA (randomised SSN since 2011), IRS (ITIN), CMS (MBI, NPI), ABA routing numbers, DEA registration numbers,
AAMVA (licence formats), Canada Revenue Agency (SIN), Receita Federal (CPF, CNPJ).
"""

from __future__ import annotations

from redan.kernels.personal.checksums import digits, luhn, plain, weighted
from redan.kernels.personal.formats.format import Format

_SAMPLE_SSN = ("123456789", "98765432", "078051120", "219099999")
_CPF = tuple(range(11, 1, -1))
_CNPJ = (6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2)


def ssn(text: str) -> bool:
    """Tell whether area, group and serial are issued ones, and it is no number of an advertisement."""
    flat = digits(text)
    return (
        flat[:3] not in ("000", "666")
        and flat[3:5] != "00"
        and flat[5:] != "0000"
        and len(set(flat)) > 1
        and not flat.startswith(_SAMPLE_SSN)
        and len({sign for sign in text if not sign.isdigit()}) <= 1
    )


def routing(text: str) -> bool:
    """Tell whether the Federal Reserve district exists and the weights 3, 7, 1 sum to a multiple of ten."""
    flat = digits(text)
    district = int(flat[:2])
    known = district <= 12 or 21 <= district <= 32 or 61 <= district <= 72 or district == 80
    return known and int(flat) > 0 and weighted(flat, (3, 7, 1) * 3) % 10 == 0


def npi(text: str) -> bool:
    """Tell whether the Luhn digit is right with the prefix 80840 of health cards of the United States."""
    flat = digits(text)
    return len(set(flat[:-1])) > 1 and luhn("80840" + flat)


def dea(text: str) -> bool:
    """Tell whether the last digit is that of the sum of odd places and twice the even ones."""
    flat = text[2:]
    return weighted(flat[:6], (1, 2) * 3) % 10 == int(flat[6])


def sin(text: str) -> bool:
    """Tell whether the Luhn digit is right."""
    return luhn(digits(text))


def cpf(text: str) -> bool:
    """Tell whether both check digits are right (weights 10 to 2, then 11 to 2, modulo 11)."""
    flat = digits(text)
    first = weighted(flat[:9], _CPF[1:]) * 10 % 11 % 10
    second = weighted(flat[:10], _CPF) * 10 % 11 % 10
    return len(set(flat)) > 1 and flat[9:] == f"{first}{second}"


def cnpj(text: str) -> bool:
    """Tell whether both check digits are right."""
    flat = digits(text)
    first = -weighted(flat[:12], _CNPJ[1:]) % 11 % 10
    second = -weighted(flat[:13], _CNPJ) % 11 % 10
    return len(set(flat)) > 1 and flat[12:] == f"{first}{second}"


def licence(text: str) -> bool:
    """Tell whether it has a length that some state issues."""
    return len(plain(text)) not in (1, 2, 3)


_MBI_LETTER, _MBI_ANY = "[AC-HJKMNP-RT-Y]", "[0-9AC-HJKMNP-RT-Y]"

FORMATS = (
    Format(
        kind="us-ssn", title="US social security number", heads=r"9{3}[-. ]9|9{5}-9|9{9}", check=ssn,
        form=r"\d{3}([-. ])\d{2}\1\d{4}|\d{5}-\d{4}|\d{3}-\d{6}|\d{9}",
        formed=r"(?!9)\d{3}([-. ])\d{2}\1\d{4}",
        words="ssn ssns social security ssid",
    ),
    Format(
        kind="us-itin", title="US taxpayer identification number", heads=r"9{3}[- ]9|9{5}[- ]9|9{9}",
        form=r"9\d\d(?:[- ]?)(?:5\d|6[0-5]|7\d|8[0-8]|9[0-24-9])(?:[- ]?)\d{4}",
        formed=r"\d{3}[- ]\d\d[- ]\d{4}",
        words="itin taxpayer tin taxid tax individual",
    ),
    Format(
        kind="us-passport", title="US passport number", heads="9{9}|A9{8}", form=r"[A-Z]?\d{8}|\d{9}",
        words="passport passports travel",
    ),
    Format(
        kind="us-driving-licence", title="US driving licence number",
        heads="A9+|A?A9+A?|9{6,14}|9{16}|99A{3}9{5,6}|9{8,9}A|9{8}AA|9{3}AA9{4}|A9A9A|9{7,8}A|9{4}-9",
        form=(
            r"[A-Z]\d{1,14}|[A-Z]\d{18}|[A-Z]{2}\d{2,7}|[A-Z]\d{6}R|[A-Z]{2}\d{6}[A-Z]|\d\d[A-Z]{3}\d{5,6}|\d{7,9}[A-Z]"
            r"|\d{8}[A-Z]{2}|\d{3}[A-Z]{2}\d{4}|[A-Z]\d[A-Z]\d[A-Z]|\d{6,14}|\d{16}|\d{4}-\d\d-\d{4}"
        ),
        check=licence,
        words="driver drivers license licenses licence permit dl dls cdl driving lic",
    ),
    Format(
        kind="us-bank-account", title="US bank account number", heads="9{8,17}", form=r"\d{8,17}",
        words="account accounts acct checking savings bank debit",
    ),
    Format(
        kind="us-routing", title="US bank routing number", heads=r"9{9}|9{4}-9", form=r"\d{9}|\d{4}-\d{4}-\d",
        check=routing, formed=r"\d{4}-\d{4}-\d", words="aba routing rtn", is_person=False,
    ),
    Format(
        kind="us-mbi", title="US Medicare beneficiary number", heads="9A[A9]9(?:A[A9]9AA99)?",
        form=(
            rf"[1-9]{_MBI_LETTER}{_MBI_ANY}\d(-?){_MBI_LETTER}{_MBI_ANY}\d\1{_MBI_LETTER}{{2}}\d\d"
        ),
        formed=r".+", words="medicare mbi beneficiary cms",
    ),
    Format(
        kind="us-npi", title="US health provider number", heads=r"9{10}|9{4}[ -]9",
        form=r"[12](?:\d{9}|\d{3}([ -])\d{3}\1\d{3})",
        check=npi, formed=r"\d{4}[ -].+", words="npi provider providers",
    ),
    Format(
        kind="us-dea", title="US licence to prescribe (DEA)", heads="AA9{7}|A9{8}",
        form=r"[ABCDEFGHJKLMPRSTUX][A-Z9]\d{7}",
        check=dea, words="dea certificate medical licence license prescriber",
    ),
    Format(
        kind="ca-sin", title="Canadian social insurance number", heads=r"9{9}|9{3}[ -]9", check=sin,
        form=r"[1-79]\d\d(?:\d{6}|([- ])\d{3}\1\d{3})", words="sin nas insurance assurance social",
    ),
    Format(
        kind="br-cpf", title="Brazilian personal number (CPF)", heads=r"9{11}|9{3}\.9", check=cpf,
        form=r"\d{11}|\d{3}\.\d{3}\.\d{3}-\d\d", formed=r".+\..+", is_checksum=True, words="cpf",
    ),
    Format(
        kind="br-cnpj", title="Brazilian company number (CNPJ)", heads=r"9{14}|99\.9", check=cnpj,
        form=r"\d{14}|\d\d\.\d{3}\.\d{3}/\d{4}-\d\d", is_checksum=True, words="cnpj", is_person=False,
    ),
)  # fmt: skip
