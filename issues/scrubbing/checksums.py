"""Tells card and bank account numbers from other digits by their checksums."""

import re

from issues.scrubbing.names import words

# Issuer prefixes with the lengths of their numbers (ISO/IEC 7812). Visa's 13 digits
# are out of use, and Diners' 14 are told apart by their grouping: both look like ids.
_CARDS = re.compile(
    r"""
      4\d{15}(?:\d{3})?                                    # Visa
    | 5[1-5]\d{14} | 2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}  # Mastercard
    | 3[47]\d{13}                                          # American Express
    | (?:6011|64[4-9]\d|65\d\d)\d{12}(?:\d{3})?            # Discover
    | 35(?:2[89]|[3-8]\d)\d{12}(?:\d{3})?                  # JCB
    | 62\d{14,17}                                          # UnionPay
    """,
    re.VERBOSE,
)
_DINERS = re.compile(r"3(?:0[0-5]|[689]\d)\d{11}")
_GROUPED_DINERS = re.compile(r"\d{4}[ -]\d{6}[ -]\d{4}")
# Length of the account number by country (SWIFT IBAN registry).
_IBAN_LENGTHS = {
    entry[:2]: int(entry[2:])
    for entry in words(
        "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28"
        " CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23"
        " GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28"
        " LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28"
        " NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24"
        " SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30"
    )
}


def is_card(text: str) -> bool:
    """Whether the digits, grouped by blanks or dashes, are a payment card's number."""
    digits = re.sub(r"\D", "", text)
    known = _CARDS.fullmatch(digits) or (
        _DINERS.fullmatch(digits) and _GROUPED_DINERS.fullmatch(text)
    )
    return bool(known) and _luhn(digits)


def _luhn(digits: str) -> bool:
    """The check of ISO/IEC 7812-1: every second digit from the right doubled."""
    numbers = [int(digit) for digit in reversed(digits)]
    doubled = sum(sum(divmod(2 * number, 10)) for number in numbers[1::2])
    return (sum(numbers[::2]) + doubled) % 10 == 0


def iban_length(text: str) -> int:
    """How many characters of ``text`` are an IBAN, from its start; 0 for none.

    ISO 13616: country, two check digits, up to 30 characters; blanks may group them.
    """
    wanted = _IBAN_LENGTHS.get(text[:2], 0)
    places = [at for at, character in enumerate(text) if character != " "][:wanted]
    if not wanted or len(places) < wanted:
        return 0
    end = places[-1] + 1
    compact = "".join(text[at] for at in places)
    turned = compact[4:] + compact[:4]
    number = int("".join(str(int(character, 36)) for character in turned))
    return end if number % 97 == 1 and not text[end : end + 1].isalnum() else 0
