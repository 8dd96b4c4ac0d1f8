"""A mistyped key is seen without a look at the database; a leaked one is found by its pattern."""

import re

from hypothesis import given
from hypothesis import strategies as st

from services.gateway.access.key_format import checksum, id_of_key, new_key, new_key_id

KEYS = st.builds(lambda: new_key(new_key_id()))
DOCUMENTED = re.compile(r"\bmodernize_key_[0-9A-Za-z]{16}_[0-9A-Za-z]{49}\b")


@given(KEYS)
def test_a_key_tells_its_id_and_is_found_by_the_documented_pattern(key: str) -> None:
    assert id_of_key(key) == key.split("_")[2]
    assert DOCUMENTED.findall(f'api_key = "{key}"') == [key]


@given(KEYS, st.integers(0, 78), st.characters(codec="ascii"))
def test_a_key_with_a_wrong_character_is_none(key: str, place: int, character: str) -> None:
    wrong = key[:place] + character + key[place + 1 :]
    assert id_of_key(wrong) is None or wrong == key


def test_what_is_no_key_has_no_id() -> None:
    for text in ("", "modernize_key_", "modernize_key_" + "0" * 66, "x" * 80, new_key("0" * 16) + "\n"):
        assert id_of_key(text) is None


def test_the_checksum_is_the_crc_32_in_base_62() -> None:
    # CRC-32 of "123456789" is 0xCBF43926 (the check value of its catalogues), which is 3421780262.
    digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    number = 0
    for digit in checksum("123456789"):
        number = number * 62 + digits.index(digit)
    assert number == 0xCBF43926
