"""Tells card and bank account numbers from other digits by their checksums."""

import re

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
_IBAN_LENGTHS = dict(
    entry.split(":")
    for entry in (
        "AD:24 AE:23 AL:28 AT:20 AZ:28 BA:20 BE:16 BG:22 BH:22 BI:27 BR:29 BY:28 CH:21"
        " CR:22 CY:28 CZ:24 DE:22 DJ:27 DK:18 DO:28 EE:20 EG:29 ES:24 FI:18 FK:18 FO:18"
        " FR:27 GB:22 GE:22 GI:23 GL:18 GR:27 GT:28 HN:28 HR:21 HU:28 IE:22 IL:23 IQ:23"
        " IS:26 IT:27 JO:30 KW:30 KZ:20 LB:28 LC:32 LI:21 LT:20 LU:20 LV:21 LY:25 MC:27"
        " MD:24 ME:22 MK:19 MN:20 MR:27 MT:31 MU:30 NI:28 NL:18 NO:15 OM:23 PK:24 PL:28"
        " PS:29 PT:25 QA:29 RO:24 RS:22 RU:33 SA:24 SC:31 SD:18 SE:24 SI:19 SK:24 SM:27"
        " SO:23 ST:25 SV:28 TL:23 TN:24 TR:26 UA:29 VA:22 VG:24 XK:20 YE:30"
    ).split()
)


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
    wanted = int(_IBAN_LENGTHS.get(text[:2], "0"))
    if not wanted:
        return 0
    compact, used = "", 0
    for used, character in enumerate(text, start=1):
        if character != " ":
            compact += character
            if len(compact) == wanted:
                break
    if len(compact) < wanted or text[used : used + 1].isalnum():
        return 0
    turned = compact[4:] + compact[:4]
    number = int("".join(str(int(character, 36)) for character in turned))
    return used if number % 97 == 1 else 0
