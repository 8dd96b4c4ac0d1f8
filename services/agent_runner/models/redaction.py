"""What never reaches a provider or a span unless a tenant lets it: secrets, and data about persons.

A person's name cannot be told from other words; mail addresses, phone numbers, accounts, cards and numbers of persons
have a shape. Hosts, addresses of machines and names of applications are what the work is about, and stay.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from services.chassis.logs import redacted_text

_SECRETS = tuple(
    re.compile(pattern)
    for pattern in (
        r"\b(?:sk|rk|pk)-(?:[A-Za-z]+-)*[A-Za-z0-9_-]{16,}",
        r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
        r"\bgh[pousr]_[A-Za-z0-9]{20,}",
        r"\bxox[abprs]-[A-Za-z0-9-]{10,}",
        r"\bAIza[0-9A-Za-z_-]{30,}",
        r"\bhf_[A-Za-z0-9]{20,}",
        r"(?i)(?<=password=)[^\s,;\"']+",
        r"(?i)(?<=pwd=)[^\s,;\"']+",
        r"(?i)(?<=password: )[^\s,;\"']+",
    )
)
_MAIL = re.compile(r"\b[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}\b")
# With a country code: digits alone are counts, sizes and serial numbers.
_PHONE = re.compile(r"(?<![\w.+])\+[1-9][0-9](?:[ ()./-]{0,2}[0-9]){6,12}(?![\w.]?[0-9])")
_IBAN = re.compile(r"\b[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,3})?\b")
_CARD = re.compile(r"(?<![\w.-])[0-9](?:[ -]?[0-9]){12,18}(?![\w-])")
_SOCIAL_SECURITY = re.compile(r"(?<![\w-])(?!000|666|9)[0-9]{3}-(?!00)[0-9]{2}-(?!0000)[0-9]{4}(?![\w-])")


def redact(text: str) -> str:
    """The text with placeholders such as `[mail]` and `[secret]`; the same again when it is redacted again."""
    text = redacted_text(text)
    for pattern in _SECRETS:
        text = pattern.sub("[secret]", text)
    text = _MAIL.sub("[mail]", text)
    text = _IBAN.sub(_if(_is_iban, "[account]"), text)
    text = _CARD.sub(_if(_is_card, "[card]"), text)
    text = _SOCIAL_SECURITY.sub("[person number]", text)
    return _PHONE.sub("[phone]", text)


def redact_all(value: Any) -> Any:
    """A JSON value with every text in it redacted; names of fields stay."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {name: redact_all(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [redact_all(item) for item in value]
    return value


def _if(holds: Callable[[str], bool], placeholder: str) -> Callable[[re.Match[str]], str]:
    return lambda found: placeholder if holds(found[0]) else found[0]


def _is_iban(text: str) -> bool:
    """ISO 13616: the letters as numbers from 10, the first four signs last, leave 1 modulo 97."""
    packed = text.replace(" ", "")
    if not 15 <= len(packed) <= 34:
        return False
    return int("".join(str(int(sign, 36)) for sign in packed[4:] + packed[:4])) % 97 == 1


def _is_card(text: str) -> bool:
    """Luhn's check (ISO/IEC 7812-1) over 13 to 19 digits."""
    digits = [int(sign) for sign in text if sign.isdigit()]
    doubled = [digit if number % 2 == 0 else digit * 2 - 9 * (digit > 4) for number, digit in enumerate(digits[::-1])]
    return len(set(digits)) > 1 and sum(doubled) % 10 == 0
