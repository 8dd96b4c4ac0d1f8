"""Checkpoints as signed notes, so that other tools read them (https://c2sp.org/tlog-checkpoint, /signed-note)."""

import base64
import binascii
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from contracts.envelope import Tenant

ED25519 = b"\x01"
KEY_BYTES = 32
# More than this is no note of ours, and would be work for whoever checks it.
LONGEST_NOTE = 16_384


class NoteRefused(Exception):
    """A note says nothing: it is malformed, of another log, or signed by nobody who is trusted."""


def origin_of(tenant: Tenant) -> str:
    """The name of a tenant's log: it is in all that is signed, so one tenant's checkpoint cannot pass as another's."""
    return f"ai-modernize/audit/{tenant.client_account_id}/{tenant.engagement_id}"


@dataclass(frozen=True)
class VerifierKey:
    """The public half of a signing key, under the name of the log that it signs."""

    name: str
    public: bytes

    @property
    def key_id(self) -> str:
        """What signatures name the key by: 8 hex digits."""
        return sha256(f"{self.name}\n".encode() + ED25519 + self.public).digest()[:4].hex()

    @property
    def text(self) -> str:
        """The key in one line, `name+id+base64`, as note tools write it."""
        return f"{self.name}+{self.key_id}+{base64.b64encode(ED25519 + self.public).decode()}"

    @staticmethod
    def parse(text: str) -> "VerifierKey":
        """Read such a line; raises `NoteRefused`."""
        name, _, rest = text.strip().partition("+")
        _, _, encoded = rest.partition("+")
        try:
            key = VerifierKey(name, base64.b64decode(encoded, validate=True)[1:])
        except binascii.Error:
            key = VerifierKey(name, b"")
        if not name or len(key.public) != KEY_BYTES or key.text != text.strip():
            raise NoteRefused(f"{text.strip()[:80]!r} is no public key of the form name+id+base64")
        return key


@dataclass(frozen=True)
class Checkpoint:
    """A tree head: how many entries a log had, the hash over them, and when that was signed."""

    origin: str
    size: int
    root: bytes
    signed_at: datetime

    @property
    def text(self) -> str:
        """What is signed."""
        at = self.signed_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\ntime {at}\n"


def signed(checkpoint: Checkpoint, private_key: bytes) -> str:
    """The note that states a checkpoint under an Ed25519 key, which has the log's name."""
    key = Ed25519PrivateKey.from_private_bytes(private_key)
    verifier = VerifierKey(checkpoint.origin, key.public_key().public_bytes_raw())
    signature = bytes.fromhex(verifier.key_id) + key.sign(checkpoint.text.encode())
    return f"{checkpoint.text}\n— {verifier.name} {base64.b64encode(signature).decode()}\n"


def opened(note: str, origin: str, keys: Iterable[VerifierKey]) -> Checkpoint:
    """The checkpoint that a note states for this log under one of these keys; raises `NoteRefused`."""
    text, separator, lines = note.rpartition("\n\n")
    text += "\n"
    if not separator or len(note) > LONGEST_NOTE or not lines.endswith("\n"):
        raise NoteRefused("it is no signed note")
    checkpoint = _read(text)
    if checkpoint.origin != origin:
        raise NoteRefused(f"it is of another log, {checkpoint.origin}")
    known = {(key.name, key.key_id): key for key in keys}
    # Every line is looked at: a false signature of a known key refuses the note, whoever else signed it.
    verified = [_verifies(line, text, known) for line in lines.splitlines()]
    if not any(verified):
        raise NoteRefused("no key that is trusted signed it")
    return checkpoint


def stated_size(note: str) -> int:
    """The number of entries that a note speaks of, 0 where it is unreadable; nothing of it was verified."""
    lines = note[:LONGEST_NOTE].split("\n", 2)
    return int(lines[1]) if len(lines) > 1 and lines[1].isascii() and lines[1].isdecimal() else 0


def _read(text: str) -> Checkpoint:
    try:
        origin, size, root, *others = text.removesuffix("\n").split("\n")
        [at] = [line.removeprefix("time ") for line in others if line.startswith("time ")]
        checkpoint = Checkpoint(
            origin, int(size), base64.b64decode(root, validate=True), datetime.fromisoformat(at.replace("Z", "+00:00"))
        )
    except ValueError as error:
        raise NoteRefused("it is no checkpoint of an audit log") from error
    if checkpoint.text != text or len(checkpoint.root) != sha256().digest_size:
        raise NoteRefused("it is no checkpoint of an audit log")
    return checkpoint


def _verifies(line: str, text: str, known: Mapping[tuple[str, str], VerifierKey]) -> bool:
    """Whether a known key signed; a signature of an unknown one says nothing, a false one of a known one refuses."""
    dash, _, rest = line.partition(" ")
    name, _, encoded = rest.partition(" ")
    try:
        signature = base64.b64decode(encoded, validate=True)
    except binascii.Error as error:
        raise NoteRefused("a signature of it cannot be read") from error
    key = known.get((name, signature[:4].hex()))
    if dash != "—" or key is None:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(key.public).verify(signature[4:], text.encode())
    except InvalidSignature as error:
        raise NoteRefused(f"its signature by the key {key.key_id} is false") from error
    return True
