"""Identifiers of Germany, France, Italy, Spain, the Netherlands, Poland, Finland, Sweden and Turkey.

Sources: BZSt (Steuer-ID, USt-IdNr.), §147 SGB VI (social insurance), GKV (health insurance), KBV (doctors), ICAO
9303, INSEE (NIR), Agenzia delle Entrate (codice fiscale, partita IVA), Spanish Interior Ministry (NIF, NIE), Polish
PESEL act, Digital and Population Data Services Agency (henkilötunnus), Skatteverket, Turkish NVI.
"""

from __future__ import annotations

from redan.kernels.personal.checksums import a_date, digits, icao, luhn, mod11_10, plain, weighted
from redan.kernels.personal.formats.format import Format

_NIF = "TRWAGMYFPDXBNJZSQVHLCKE"
_HETU = "0123456789ABCDEFHJKLMNPRSTUVWXY"
_CF_ORDER = "BAKPLCQDREVOSFTGUHMINJWZYX"
"""Letters whose value at an odd place of a codice fiscale is their place here; digits count as A to J."""


def _crossed(text: str, weights: tuple[int, ...]) -> int:
    """Return the sum of the digit sums of digits times weights."""
    products = (int(sign) * weight for sign, weight in zip(text, weights, strict=True))
    return sum(product // 10 + product % 10 for product in products)


def _numbered(letter: str) -> str:
    return f"{ord(letter.upper()) - 64:02d}"


def tax_id_de(text: str) -> bool:
    """Tell whether no digit stands more than three times in the first ten, and the check digit is right."""
    return max(text[:10].count(sign) for sign in "0123456789") <= 3 and mod11_10(text)


def document_de(text: str) -> bool:
    """Tell whether the check digit of a serial number of nine signs is right; old numbers with T have none."""
    flat = plain(text)
    return (flat[0] == "T" and flat[1:].isdigit()) or icao(flat)


def passport_de(text: str) -> bool:
    """Tell whether the check digit of a passport's serial number is right."""
    return icao(plain(text))


def health_de(text: str) -> bool:
    """Tell whether the check digit over the letter's number and eight digits is right."""
    return _crossed(_numbered(text[0]) + text[1:9], (1, 2) * 5) % 10 == int(text[9])


def social_de(text: str) -> bool:
    """Tell whether the birthday can be one and the check digit is right."""
    day, month = int(text[2:4]), int(text[4:6])
    if not (1 <= day <= 31 or 51 <= day <= 81) or not 1 <= month <= 12:
        return False
    flat = text[:8] + _numbered(text[8]) + text[9:11]
    return _crossed(flat, (2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1)) % 10 == int(text[11])


def doctor_de(text: str) -> bool:
    """Tell whether the seventh digit completes the weighted sum to a multiple of ten."""
    return -weighted(text[:6], (4, 9) * 3) % 10 == int(text[6])


def nir(text: str) -> bool:
    """Tell whether the key is 97 less the number modulo 97; Corsica's 2A and 2B count as 19 and 18."""
    flat = plain(text).replace("2A", "19", 1).replace("2B", "18", 1)
    return flat.isdigit() and 97 - int(flat[:13]) % 97 == int(flat[13:])


def nif(text: str) -> bool:
    """Tell whether the letter is that of the number modulo 23."""
    return _NIF[int(digits(text)) % 23] == text[-1].upper()


def nie(text: str) -> bool:
    """Tell whether the letter is that of the number with X, Y, Z as 0, 1, 2."""
    flat = plain(text)
    return _NIF[int(str("XYZ".index(flat[0])) + flat[1:-1]) % 23] == flat[-1]


def fiscal_code(text: str) -> bool:
    """Tell whether it has the form of a codice fiscale; digits may be written as letters (omocodia)."""
    flat = text.upper()
    return flat[8] in "ABCDEHLMPRST"


def fiscal_code_checked(text: str) -> bool:
    """Tell whether the last letter is right."""
    flat = text.upper()
    odd = sum(_CF_ORDER.index(chr(65 + int(sign)) if sign.isdigit() else sign) for sign in flat[0:15:2])
    even = sum(int(sign) if sign.isdigit() else ord(sign) - 65 for sign in flat[1:15:2])
    return chr(65 + (odd + even) % 26) == flat[15]


def vat_it(text: str) -> bool:
    """Tell whether the Luhn digit is right."""
    flat = digits(text)
    return int(flat) > 0 and luhn(flat)


def pesel(text: str) -> bool:
    """Tell whether month and day can be ones and the check digit is right."""
    month, day = int(text[2:4]) % 20, int(text[4:6])
    return (
        1 <= month <= 12
        and 1 <= day <= 31
        and (weighted(text[:10], (1, 3, 7, 9, 1, 3, 7, 9, 1, 3)) + int(text[10])) % 10 == 0
    )


def hetu(text: str) -> bool:
    """Tell whether the date exists and the control sign is that of the number modulo 31."""
    flat = text[:6] + text[7:10]
    return a_date(int(text[4:6]), int(text[2:4]), int(text[:2])) and _HETU[int(flat) % 31] == text[-1].upper()


def personnummer(text: str) -> bool:
    """Tell whether month and day (plus 60 for a samordningsnummer) can be ones and the Luhn digit is right."""
    flat = digits(text)[-10:]
    return 1 <= int(flat[2:4]) <= 12 and 1 <= int(flat[4:6]) % 60 <= 31 and luhn(flat)


def organisation_se(text: str) -> bool:
    """Tell whether the third digit is at least 2 and the Luhn digit is right."""
    flat = digits(text)
    return flat[2] >= "2" and luhn(flat)


def bsn(text: str) -> bool:
    """Tell whether the number passes the eleven test."""
    return weighted(text[:8], range(9, 1, -1)) % 11 == int(text[8])


def tckn(text: str) -> bool:
    """Tell whether both check digits are right."""
    odd, even = sum(map(int, text[0:9:2])), sum(map(int, text[1:8:2]))
    return (odd * 7 - even) % 10 == int(text[9]) and sum(map(int, text[:10])) % 10 == int(text[10])


def vat_de(text: str) -> bool:
    """Tell whether the German VAT number's check digit is right (ISO 7064 MOD 11,10)."""
    return mod11_10(digits(text))


_DOCUMENT = "[CFGHJKLMNPRTVWXYZ]"

FORMATS = (
    Format(
        kind="de-tax-id", title="German tax identification number", heads="9{11}", form=r"[1-9]\d{10}", check=tax_id_de,
        words="steuer steuerid idnr steueridentifikationsnummer tin identifikationsnummer bzst",
    ),
    Format(
        kind="de-tax-number", title="German tax number", heads=r"9{13}|9{2,3}/9",
        form=r"(?:0[1-9]|1[0-6])\d{11}|\d{2,3}/\d{3,4}/\d{4,5}", formed=r".*/.*",
        words="steuernummer steuer finanzamt st nr steuerbescheid",
    ),
    Format(
        kind="de-passport", title="German passport number", heads="A[A9]{7}9",
        form=rf"{_DOCUMENT}[CFGHJKLMNPRTVWXYZ0-9]{{7}}\d",
        check=passport_de, words="reisepass pass passnummer reisepassnummer passport ausweisdokument",
    ),
    Format(
        kind="de-id-card", title="German identity card number", heads="A[A9]{7}9",
        form=rf"{_DOCUMENT}[CFGHJKLMNPRTVWXYZ0-9]{{7}}\d", check=document_de,
        words="personalausweis ausweis ausweisnummer personalausweisnummer ausweisdokument npa identity",
    ),
    Format(
        kind="de-social", title="German social insurance number", heads="9{8}A9{3}", form=r"\d{8}[A-Z]\d{3}",
        check=social_de, is_checksum=True, words="rentenversicherungsnummer sozialversicherungsnummer rvnr svnr",
    ),
    Format(
        kind="de-health", title="German health insurance number", heads="A9{9}", form=r"[A-Z]\d{9}", check=health_de,
        words="krankenversicherungsnummer versichertennummer kvnr krankenkasse egk gesundheitskarte",
    ),
    Format(
        kind="de-doctor", title="German doctor's number (LANR)", heads="9{9}", form=r"\d{9}", check=doctor_de,
        words="lanr arztnummer arzt hausarzt vertragsarzt kbv",
    ),
    Format(
        kind="de-practice", title="German doctor's practice number (BSNR)", heads="9{9}", form=r"(?!0{9})\d{9}",
        words="bsnr betriebsstättennummer praxis arztpraxis praxisnummer", is_person=False,
    ),
    Format(
        kind="de-driving-licence", title="German driving licence number", heads="AA9{8}[A9]|A9{2}[A9]{8}|AA9{9}",
        form=r"[A-Z]{2}\d{8}[A-Z0-9]", words="führerschein führerscheinnummer fahrerlaubnis driving licence license",
    ),
    Format(
        kind="de-plate", title="German vehicle registration", heads="9{1,4}A?", lead=8, is_person=False,
        form=r"(?<![\w-])[A-ZÄÖÜ]{1,3}(?:-[A-Z]{1,2}[- ]| [A-Z]{1,2} )\d{1,4}[EH]?",
        words="kennzeichen nummernschild kfz fahrzeug auto zulassung pkw",
    ),
    Format(
        kind="de-company", title="German commercial register number", before="AB", heads="A{3}9{1,6}|9{1,6}", lead=5,
        form=r"HR[AB]\s{0,2}\d{1,6}", formed=r".+", words="handelsregister amtsgericht", is_person=False,
    ),
    Format(
        kind="de-postcode", title="German postcode", heads="9{5}", form=r"(?!01000|99999|00)\d{5}",
        words="plz postleitzahl adresse wohnort anschrift", is_person=False,
    ),
    Format(
        kind="de-vat", title="German VAT number", before="E", heads=r"AA9{9}|AA9{3}[ .-]9|9{3}[ .-]9|9{9}", lead=3,
        proof=vat_de, form=r"DE[ .-]?\d{3}[ .-]?\d{3}[ .-]?\d{3}", formed=r".+", words="ust umsatzsteuer vat",
        is_person=False,
    ),
    Format(
        kind="fr-nir", title="French social security number (NIR)", heads=r"9{15}|9{6}A9{8}|9 9|9{13} 9", check=nir,
        form=r"[1-478] ?\d\d ?\d\d ?(?:\d\d|2[AB]) ?\d{3} ?\d{3} ?\d\d", is_checksum=True, words="nir insee",
    ),
    Format(
        kind="es-nif", title="Spanish tax number (NIF)", heads="9{7,8}A?", form=r"\d{7,8}-?[A-Z]", check=nif,
        is_checksum=True, words="nif dni identidad",
    ),
    Format(
        kind="es-nie", title="Spanish number of a foreigner (NIE)", heads="A9{7}A?", form=r"[XYZ]\d{7}-?[A-Z]",
        check=nie,
        is_checksum=True, words="nie extranjero",
    ),
    Format(
        kind="es-passport", title="Spanish passport number", heads="A{3}9{6}", form=r"[A-Z]{3}\d{6}",
        words="pasaporte passport",
    ),
    Format(
        kind="it-fiscal-code", title="Italian tax code (codice fiscale)", heads="A{6}[A9]{10}", check=fiscal_code,
        proof=fiscal_code_checked,
        form=r"[A-Z]{6}[\dLMNP-V]{2}[A-Z][\dLMNP-V]{2}[A-Z][\dLMNP-V]{3}[A-Z]", formed=r".+", words="codice fiscale cf",
    ),
    Format(
        kind="it-vat", title="Italian VAT number", heads=r"[9_]{11,12}|9{5} 9|9{8} 9",
        form=r"\d{5}[ _]?\d{3}[ _]?\d{3}|\d{8}[ _]\d{3}",
        check=vat_it, words="piva iva partita", is_person=False,
    ),
    Format(
        kind="it-driving-licence", title="Italian driving licence number", heads="AA9{7}A|A9[A9]{8}",
        form=r"[A-Z]{2}\d{7}[A-Z]|U1[B-HJ-NPR-UWYZ0-9]{7}[A-Z]", words="patente guida licenza license",
    ),
    Format(
        kind="it-id-card", title="Italian identity card number", heads="AA9{7}|9{7}AA|AA9{5}AA|9{7}", lead=3,
        form=r"[A-Z]{2} ?\d{7}|\d{7}[A-Z]{2}|[A-Z]{2}\d{5}[A-Z]{2}", words="carta identità cie",
    ),
    Format(
        kind="it-passport", title="Italian passport number", heads="AA9{7}", form=r"[A-Z]{2}\d{7}", words="passaporto",
    ),
    Format(
        kind="nl-bsn", title="Dutch citizen service number (BSN)", heads="9{9}", form=r"\d{9}", check=bsn,
        words="bsn burgerservicenummer",
    ),
    Format(
        kind="pl-pesel", title="Polish personal number (PESEL)", heads="9{11}", form=r"\d{11}", check=pesel,
        words="pesel",
    ),
    Format(
        kind="fi-hetu", title="Finnish personal identity code", heads=r"9{6}A9{3}[9A]|9{6}[-+]9", check=hetu,
        form=r"\d{6}[-+A-FU-Y]\d{3}[\dA-FHJ-NPR-Y]", is_checksum=True, words="hetu henkilötunnus",
    ),
    Format(
        kind="se-personnummer", title="Swedish personal number", heads=r"9{10}|9{12}|9{6}[-+]9|9{8}[-+]9",
        check=personnummer,
        form=r"(?:\d\d)?\d{6}[-+]?\d{4}", formed=r".+[-+]\d{4}|(?:19|20).{10}", words="personnummer pnr",
    ),
    Format(
        kind="se-organisation", title="Swedish organisation number", heads=r"9{10}|9{6}-9", form=r"\d{6}-?\d{4}",
        check=organisation_se, words="organisationsnummer orgnr orgnummer", is_person=False,
    ),
    Format(
        kind="tr-id", title="Turkish identity number", heads="9{11}", form=r"[1-9]\d{10}", check=tckn, is_checksum=True,
        words="kimlik tckn",
    ),
    Format(
        kind="tr-plate", title="Turkish vehicle registration", heads=r"99[ -]A|99A{1,3}9{2,4}", is_person=False,
        form=r"(?:0[1-9]|[1-7]\d|8[01])([ -]?)[A-PR-VYZ]{1,3}\1\d{2,4}", words="plaka plakası plate",
    ),
)  # fmt: skip
