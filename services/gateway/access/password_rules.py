"""Which new passwords are refused, and why: length counts, not oddness (NIST SP 800-63B-4, section 3.1.1)."""

import unicodedata
from collections.abc import Iterator

LEAST_CHARACTERS, MOST_CHARACTERS = 12, 1024
LEAST_DIFFERENT = 5

# What most leaked passwords are made of. Short ones count too: made longer by digits or signs, they are as common.
COMMON = frozenset(
    (
        *("password", "passwort", "passw0rd", "motdepasse", "contrasena", "senha", "parola", "sifre", "wachtwoord"),
        *("qwerty", "qwertz", "azerty", "qwertyuiop", "qwertzuiop", "asdfgh", "asdfghjkl", "yxcvbnm", "zxcvbnm"),
        *("letmein", "welcome", "willkommen", "bienvenue", "admin", "administrator", "root", "login", "access"),
        *("changeme", "default", "secret", "test", "testing", "guest", "user", "master", "superman", "batman"),
        *("iloveyou", "sunshine", "princess", "dragon", "monkey", "football", "baseball", "shadow", "michael"),
        *("trustno", "whatever", "starwars", "computer", "internet", "service", "server", "database", "company"),
        *("spring", "summer", "autumn", "winter", "january", "february", "december", "monday", "friday"),
        *("abc", "abcdef", "google", "facebook", "linkedin", "microsoft", "windows", "linux", "oracle"),
        *("modernize", "aimodernize", "modernise", "migration", "cloud"),
    )
)
# Written instead of letters for centuries of computers, and undone by every cracking tool.
_LEET = str.maketrans("013457@$!|", "oleastasil")
_ROWS = ("abcdefghijklmnopqrstuvwxyz", "01234567890", "qwertyuiop", "qwertzuiop", "asdfghjkl", "zxcvbnm", "yxcvbnm")
_BOTH_WAYS = (*_ROWS, *(row[::-1] for row in _ROWS))
_LONGEST_RUN = 4


def normalised(password: str) -> str:
    """What is hashed: the same characters, however a keyboard composed them (Unicode NFC)."""
    return unicodedata.normalize("NFC", password)


def refusal(password: str, *, about: tuple[str, ...] = ()) -> str | None:
    """Why this cannot be a password, as a sentence; None if it can. `about`: the person's address and name."""
    characters = len(normalised(password))
    if characters < LEAST_CHARACTERS:
        return f"It has {characters} characters. Use at least {LEAST_CHARACTERS}: a few words in a row are good."
    if characters > MOST_CHARACTERS:
        return f"It has {characters} characters. Use at most {MOST_CHARACTERS}."
    if len(set(password)) < LEAST_DIFFERENT:
        return f"It is made of fewer than {LEAST_DIFFERENT} different characters, so it is guessed early."
    plain = password.casefold()
    if _repeats(plain):
        return "It is one short piece again and again, so it is guessed early."
    if _run_length(plain) * 2 > characters:
        return "Most of it is a row of the alphabet or the keyboard, so it is guessed early."
    rest = _without(plain, (*COMMON, *_words(about)))
    if len(rest) * 2 < LEAST_CHARACTERS:
        return "It is made of common words, or of your own name or address, and little else. Add words of your own."
    return None


def _words(texts: tuple[str, ...]) -> Iterator[str]:
    """The parts of an address or a name, without those that are in any text."""
    for text in texts:
        cleaned = "".join(c if c.isalnum() else " " for c in text.casefold())
        yield from (word for word in cleaned.split() if len(word) > _LONGEST_RUN)


def _without(text: str, words: tuple[str, ...]) -> str:
    """The letters that are left once common words are taken out, as typed and with signs read as letters.

    Digits and signs count only between letters: hung on at the ends they are the first that is tried.
    """
    shortest = text
    for spelled in (text, text.translate(_LEET)):
        left = spelled
        for word in sorted(words, key=len, reverse=True):
            left = left.replace(word, " ")
        left = left.strip(" 0123456789!?.,;:-_+*#$%&/()=@'\"")
        shortest = min(shortest, left, key=len)
    return shortest


def _repeats(text: str) -> bool:
    return any(text == (text[:size] * (len(text) // size + 1))[: len(text)] for size in range(1, len(text) // 2 + 1))


def _run_length(text: str) -> int:
    """How many characters stand in runs of four or more along a row, forwards or backwards."""
    total = start = 0
    while start < len(text):
        end = start + 1
        while end < len(text) and any(text[start : end + 1] in row for row in _BOTH_WAYS):
            end += 1
        if end - start >= _LONGEST_RUN:
            total += end - start
        start = end
    return total
