"""Which passwords are refused, and what is hashed."""

import unicodedata

import pytest
from argon2 import PasswordHasher
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.access.password_hashing import PasswordHashing
from services.gateway.access.password_rules import LEAST_CHARACTERS, MOST_CHARACTERS, normalised, refusal

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest.mark.parametrize(
    "password",
    [
        "short",
        "elevenchars",
        "x" * 1025,
        "aaaaaaaaaaaaaaaa",
        "abababababababab",
        "hunter2hunter2",
        "123456789012",
        "qwertyuiop123",
        "asdfghjklqwerty",
        "abcdefghijklmnop",
        "Password1234",
        "P@ssw0rd1234",
        "password-2026!!",
        "Welcome2026!!!",
        "passwordpassword",
        "letmeinletmein1",
        "adminadmin2026",
        "modernize2026!",
    ],
)
def test_a_password_that_is_guessed_early_is_refused(password: str) -> None:
    assert refusal(password) is not None


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery staple",
        "tz7-Kq0-vvM-41x",
        "wo der Kaffee kalt wird",
        "日本語のとても長い秘密の言葉です",
        "q8#Lm2!vT9zR",
    ],
)
def test_a_long_password_of_ones_own_is_taken(password: str) -> None:
    assert refusal(password) is None


def test_ones_own_name_and_address_are_no_password() -> None:
    about = ("ada.lovelace@contoso.example", "Ada Lovelace")
    assert refusal("lovelace-contoso1") is None
    assert refusal("lovelace-contoso1", about=about) is not None
    assert refusal("lovelace likes analytical engines", about=about) is None


def test_both_ends_of_the_length_are_inclusive() -> None:
    text = "The five boxing wizards jump quickly. " * 30
    assert refusal(text[:LEAST_CHARACTERS]) is None
    assert refusal("x" + text[: LEAST_CHARACTERS - 2]) is not None
    assert "at most" in str(refusal(text[: MOST_CHARACTERS + 1]))
    assert "at most" not in str(refusal(text[:MOST_CHARACTERS]))


@given(st.text(max_size=1100))
def test_any_text_is_judged_and_a_refusal_is_a_sentence(password: str) -> None:
    reason = refusal(password)
    assert reason is None or (reason.endswith(".") and (len(password) < 6 or password not in reason))


@given(st.text(alphabet="éÄñ가각áa", min_size=1, max_size=40))
def test_however_a_keyboard_composes_it_the_same_is_hashed(password: str) -> None:
    assert normalised(unicodedata.normalize("NFD", password)) == normalised(unicodedata.normalize("NFC", password))


async def test_a_hash_fits_its_password_alone_and_nobodys_fits_none() -> None:
    hashing = PasswordHashing(CHEAP)
    stored = await hashing.hash("é is for élan, they say")
    assert await hashing.fits(unicodedata.normalize("NFD", "é is for élan, they say"), stored)
    assert not await hashing.fits("e is for elan, they say", stored)
    assert not await hashing.fits("é is for élan, they say", None)


async def test_hashes_are_made_with_the_parameters_of_rfc_9106_and_others_are_made_again() -> None:
    hashing = PasswordHashing()
    stored = await hashing.hash("correct horse battery staple")
    assert stored.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert not hashing.is_outdated(stored)
    assert hashing.is_outdated(await PasswordHashing(CHEAP).hash("correct horse battery staple"))
