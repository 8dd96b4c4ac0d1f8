"""Sealed values: AES-256-GCM under a key of their tenant and purpose, bound to the row that they stand in.

Data keys are derived (HKDF-SHA256, RFC 5869) from a root key's version, the tenant, the purpose and 16 random bytes
that each process draws for itself. So there is no table of keys to read before a row can be, and each process alone can
keep the bound on messages with random nonces under one key. The price: one tenant's values are made unreadable by
deleting them, not by forgetting a key of theirs.
"""

import hashlib
import hmac
import secrets
import struct
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from contracts.envelope import Tenant
from services.chassis.encryption_keys import KEY_BYTES, KeyProvider
from services.chassis.errors import ExpectedFailure

# NIST SP 800-38D, section 8.3: with random nonces of 96 bits no more than 2^32 messages under one key.
MESSAGES_PER_KEY = 2**32
FORMAT = 1
# Format, version of the root key, its fingerprint, the data key's random bytes; the nonce follows, then the ciphertext.
_HEADER = struct.Struct(">BI4s16s")
HEADER_BYTES = _HEADER.size
# Where the version stands in a sealed value, counted from 1 as SQL does; 4 bytes, the highest first.
VERSION_FROM = 2
NONCE_BYTES = 12
TAG_BYTES = 16
OVERHEAD_BYTES = HEADER_BYTES + NONCE_BYTES + TAG_BYTES
KEYS_REMEMBERED = 10_000
INDEX_BYTES = 16
_DATA_KEY = b"modernize data key"

Context = str | UUID


class CannotOpen(ExpectedFailure):
    """A sealed value is damaged, or stands in another row, column or tenant than the one it was sealed for."""

    status = 500


class KeyMissing(ExpectedFailure):
    """A value was sealed with a key that the configured source does not have."""

    status = 500


@dataclass(frozen=True)
class RootKey:
    """One version of the key that all data keys come from."""

    version: int
    secret: bytes
    fingerprint: bytes


@dataclass
class _SealingKey:
    header: bytes
    cipher: AESGCM
    left: int


class Vault:
    """Seals and opens values; safe to use from several threads."""

    def __init__(self, provider: KeyProvider, messages_per_key: int = MESSAGES_PER_KEY) -> None:
        """Asks `provider` on first use, or when `load` is called."""
        self.provider = provider
        self._messages_per_key = messages_per_key
        self._lock = threading.Lock()
        self._roots: Mapping[int, RootKey] = {}
        self._sealing: dict[tuple[Tenant, str], _SealingKey] = {}
        self._cipher = lru_cache(KEYS_REMEMBERED)(_cipher)

    def load(self) -> None:
        """Read the keys anew; what is sealed from now on is sealed with the newest. Raises `KeysUnusable`."""
        roots = {version: RootKey(version, key, _fingerprint(key)) for version, key in self.provider.load().items()}
        with self._lock:
            if roots != self._roots:
                self._roots = roots
                self._sealing.clear()

    def add(self, from_version: int) -> int:
        """Have a version made after `from_version`, unless there is a newer one already; the newest. May wait for it.

        Raises `Conflict` where only an operator can make one.
        """
        self.load()
        if self.version == from_version:
            self.provider.add(from_version + 1)
            self.load()
        return self.version

    @property
    def version(self) -> int:
        """The version of the root key that values are sealed with now."""
        return self._newest().version

    def versions(self) -> Sequence[int]:
        """All versions that values can be opened with, in the provider's order."""
        self._newest()
        return list(self._roots)

    def seal(self, tenant: Tenant, purpose: str, context: Context, plaintext: bytes) -> bytes:
        """`plaintext`, readable only for the same tenant, purpose (`table.column`) and context (the row's key)."""
        return self.seal_many(tenant, purpose, [context], [plaintext])[0]

    def open(self, tenant: Tenant, purpose: str, context: Context, sealed: bytes) -> bytes:
        """What was sealed for exactly this place; raises `CannotOpen`, or `KeyMissing` if its key is not here."""
        return self.open_many(tenant, purpose, [context], [sealed])[0]

    def seal_many(
        self, tenant: Tenant, purpose: str, contexts: Iterable[Context], plaintexts: Sequence[bytes]
    ) -> list[bytes]:
        """As `seal`, for a column."""
        place = _place(tenant, purpose)
        sealed: list[bytes] = []
        remaining = iter(zip(contexts, plaintexts, strict=True))
        while len(sealed) < len(plaintexts):
            key, granted = self._sealing_key(tenant, purpose, len(plaintexts) - len(sealed))
            prefix, encrypt = key.header + place, key.cipher.encrypt
            nonces = secrets.token_bytes(granted * NONCE_BYTES)
            for at in range(0, len(nonces), NONCE_BYTES):
                context, plaintext = next(remaining)
                nonce = nonces[at : at + NONCE_BYTES]
                sealed.append(key.header + nonce + encrypt(nonce, plaintext, prefix + str(context).encode()))
        return sealed

    def open_many(
        self, tenant: Tenant, purpose: str, contexts: Iterable[Context], sealed: Iterable[bytes]
    ) -> list[bytes]:
        """As `open`, for a column."""
        place = _place(tenant, purpose)
        opened = []
        previous, cipher = b"", None
        for context, value in zip(contexts, sealed, strict=True):
            header = value[:HEADER_BYTES]
            if cipher is None or header != previous:
                cipher, previous = self.key_of(tenant, purpose, context, header), header
            nonce, rest = value[HEADER_BYTES : HEADER_BYTES + NONCE_BYTES], value[HEADER_BYTES + NONCE_BYTES :]
            if len(rest) < TAG_BYTES:
                raise cannot_open(tenant, purpose, context)
            try:
                opened.append(cipher.decrypt(nonce, rest, header + place + str(context).encode()))
            except InvalidTag:
                raise cannot_open(tenant, purpose, context) from None
        return opened

    def index(self, tenant: Tenant, purpose: str, values: Iterable[bytes], version: int | None = None) -> list[bytes]:
        """A keyed digest of each value, equal for equal values of one tenant and purpose: to find without reading.

        It shows which rows have the same value. It belongs to one root key, the newest unless given, so a rotation
        makes it anew.
        """
        root = self._newest() if version is None else self._roots[version]
        key = _derived(root.secret, b"", b"modernize index", tenant, purpose)
        return [hmac.digest(key, value, "sha256")[:INDEX_BYTES] for value in values]

    def digest(self, use: str, value: bytes, version: int | None = None) -> tuple[int, bytes]:
        """A keyed digest (HMAC-SHA256) of a secret that need not be read again, and the root key's version: the newest
        unless given; raises `KeyMissing`.
        """
        newest = self._newest()
        if version is not None and version not in self._roots:
            self.load()
        root = newest if version is None else self._roots.get(version)
        if root is None:
            raise KeyMissing("encryption_key_missing", f"There is no version {version} of the encryption keys here.")
        pepper = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=b"", info=b"modernize pepper\0" + use.encode())
        return root.version, hmac.digest(pepper.derive(root.secret), value, "sha256")

    def _newest(self) -> RootKey:
        if not self._roots:
            self.load()
        return list(self._roots.values())[-1]

    def _sealing_key(self, tenant: Tenant, purpose: str, wanted: int) -> tuple[_SealingKey, int]:
        """A key of this process, and how many of the wanted messages it may seal."""
        root = self._newest()
        with self._lock:
            key = self._sealing.get((tenant, purpose))
            if key is None or key.left == 0:
                key = _SealingKey(*_drawn(root, tenant, purpose), self._messages_per_key)
                if len(self._sealing) >= KEYS_REMEMBERED:
                    self._sealing.clear()
                self._sealing[tenant, purpose] = key
            granted = min(wanted, key.left)
            key.left -= granted
        return key, granted

    def key_of_its_own(self, tenant: Tenant, purpose: str) -> tuple[bytes, AESGCM]:
        """A key that nothing else is sealed with, so that its user may count nonces, and the header that names it."""
        return _drawn(self._newest(), tenant, purpose)

    def key_of(self, tenant: Tenant, purpose: str, context: Context, header: bytes) -> AESGCM:
        """The key that a header names; raises `CannotOpen`, or `KeyMissing`."""
        root, salt = self._named(tenant, purpose, context, header)
        return self._cipher(root.secret, salt, tenant, purpose)

    def data_key(self, tenant: Tenant, purpose: str, context: Context, header: bytes) -> bytes:
        """The bytes of the key that a header names, to be sealed themselves; raises as `key_of`."""
        root, salt = self._named(tenant, purpose, context, header)
        return _derived(root.secret, salt, _DATA_KEY, tenant, purpose)

    def _named(self, tenant: Tenant, purpose: str, context: Context, header: bytes) -> tuple[RootKey, bytes]:
        """The root key and the random bytes that a header names."""
        if len(header) < HEADER_BYTES or header[0] != FORMAT:
            raise cannot_open(tenant, purpose, context)
        _, version, fingerprint, salt = _HEADER.unpack(header)
        if version not in self._roots:
            self.load()
        root = self._roots.get(version)
        if root is None or root.fingerprint != fingerprint:
            have = "a different key of that version" if root else f"only {', '.join(map(str, self._roots))}"
            raise KeyMissing(
                "encryption_key_missing",
                f"The value at {_where(tenant, purpose, context)} is sealed with version {version} of the encryption "
                f"keys, and there is {have}. Configure the key that it was sealed with.",
            )
        return root, salt


def sealed_version(sealed: bytes) -> int:
    """The version of the root key that a value was sealed with."""
    version: int = _HEADER.unpack_from(sealed)[1]
    return version


def _drawn(root: RootKey, tenant: Tenant, purpose: str) -> tuple[bytes, AESGCM]:
    salt = secrets.token_bytes(16)
    header = _HEADER.pack(FORMAT, root.version, root.fingerprint, salt)
    return header, _cipher(root.secret, salt, tenant, purpose)


def _cipher(secret: bytes, salt: bytes, tenant: Tenant, purpose: str) -> AESGCM:
    return AESGCM(_derived(secret, salt, _DATA_KEY, tenant, purpose))


def _derived(secret: bytes, salt: bytes, use: bytes, tenant: Tenant, purpose: str) -> bytes:
    information = use + b"\0" + _place(tenant, purpose)
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=salt, info=information).derive(secret)


def _fingerprint(secret: bytes) -> bytes:
    return hashlib.sha256(b"modernize root key\0" + secret).digest()[:4]


def _place(tenant: Tenant, purpose: str) -> bytes:
    """Tenant and purpose as bytes that no other pair has: the parts before the context have known lengths."""
    name = purpose.encode()
    return tenant.client_account_id.bytes + tenant.engagement_id.bytes + struct.pack(">H", len(name)) + name


def place_of(tenant: Tenant, purpose: str, context: Context) -> bytes:
    """A place as bytes that no other place has: only the context, which is the last part, has no known length."""
    return _place(tenant, purpose) + str(context).encode()


def _where(tenant: Tenant, purpose: str, context: Context) -> str:
    return f"{purpose} of {context} (client account {tenant.client_account_id}, engagement {tenant.engagement_id})"


def cannot_open(tenant: Tenant, purpose: str, context: Context) -> CannotOpen:
    """The refusal of what lies at a place; tells nothing of it."""
    return CannotOpen(
        "sealed_value_refused",
        f"What lies at {_where(tenant, purpose, context)} was not sealed for that place, or was changed since, so it "
        "was not used. Restore the row from a backup, and find out who wrote to the database.",
    )
