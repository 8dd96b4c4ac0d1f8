"""What an API key looks like, so that a mistyped one is seen at once and secret scanners find leaked ones.

`modernize_key_<id>_<secret><checksum>`, all of it of 0-9, A-Z and a-z: 16 characters of id, which is no secret, 43 of
secret (256 bits) and 6 of checksum, the CRC-32 of all that stands before it in base 62. As a regular expression:
`\\bmodernize_key_[0-9A-Za-z]{16}_[0-9A-Za-z]{49}\\b`.
"""

import re
import secrets
import string
from zlib import crc32

_DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase
_ID_CHARACTERS, _SECRET_CHARACTERS, _CHECKSUM_CHARACTERS = 16, 43, 6
_KEY = re.compile(
    rf"modernize_key_([0-9A-Za-z]{{{_ID_CHARACTERS}}})_"
    rf"[0-9A-Za-z]{{{_SECRET_CHARACTERS}}}([0-9A-Za-z]{{{_CHECKSUM_CHARACTERS}}})"
)


def new_key_id() -> str:
    """An id that no other key has."""
    return _random(_ID_CHARACTERS)


def new_key(key_id: str) -> str:
    """A key that nobody can guess, with this id."""
    body = f"modernize_key_{key_id}_{_random(_SECRET_CHARACTERS)}"
    return body + checksum(body)


def id_of_key(text: str) -> str | None:
    """The id in a key; None for what is no key, or one with a wrong character."""
    found = _KEY.fullmatch(text)
    if found is None or checksum(text[:-_CHECKSUM_CHARACTERS]) != found[2]:
        return None
    return found[1]


def checksum(body: str) -> str:
    """The six characters that end a key which begins so."""
    number, digits = crc32(body.encode()), ""
    for _ in range(_CHECKSUM_CHARACTERS):
        number, digit = divmod(number, len(_DIGITS))
        digits = _DIGITS[digit] + digits
    return digits


def _random(characters: int) -> str:
    return "".join(secrets.choice(_DIGITS) for _ in range(characters))
