"""Mail addresses: how they are compared, and what they belong to."""

import hashlib
import unicodedata


def email_key(email: str) -> str:
    """The same for addresses that differ in case, spaces around them or how accents are composed."""
    return unicodedata.normalize("NFKC", email.strip()).casefold()


def account_digest(email: str) -> str:
    """What failed logins are counted under and told as: people type passwords into the wrong field, too."""
    return hashlib.sha256(email_key(email).encode()).hexdigest()


def domain_of(email: str) -> str:
    """What stands after the last @."""
    return email_key(email).rpartition("@")[2]
