"""Checkpoints as signed notes: what other tools write is read, and what was not signed is refused."""

import base64
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.audit.notes import Checkpoint, NoteRefused, VerifierKey, opened, origin_of, signed, stated_size
from services.chassis.testing import some_tenant

TENANT = some_tenant()
ORIGIN = origin_of(TENANT)
PRIVATE = bytes(range(32))
KEY = VerifierKey(ORIGIN, Ed25519PrivateKey.from_private_bytes(PRIVATE).public_key().public_bytes_raw())
AT = datetime(2026, 11, 21, 18, 0, 0, tzinfo=UTC)
CHECKPOINT = Checkpoint(ORIGIN, 1_532, bytes(32), AT)
NOTE = signed(CHECKPOINT, PRIVATE)


def test_a_note_is_written_as_the_specification_says() -> None:
    head, signature = NOTE.split("\n\n")
    root = base64.b64encode(bytes(32)).decode()
    assert head == f"{ORIGIN}\n1532\n{root}\ntime 2026-11-21T18:00:00Z"
    dash, name, encoded = signature.rstrip("\n").split(" ")
    assert (dash, name) == ("—", ORIGIN)
    raw = base64.b64decode(encoded)
    assert (len(raw), raw[:4].hex()) == (68, KEY.key_id)


def test_the_id_of_a_key_is_that_of_the_note_tools() -> None:
    # The verifier key of the checksum database of Go, as cmd/go has it (golang.org/x/mod/sumdb/note's format).
    text = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"
    key = VerifierKey.parse(f"{text}\n")
    assert (key.name, key.key_id, key.text) == ("sum.golang.org", "033de0ae", text)


def test_a_note_opens_with_the_key_that_signed_it() -> None:
    assert opened(NOTE, ORIGIN, [KEY]) == CHECKPOINT
    assert stated_size(NOTE) == 1_532


def test_a_signature_of_an_unknown_key_beside_a_known_one_is_passed_over() -> None:
    witness = f"— witness.example {base64.b64encode(bytes(76)).decode()}\n"
    assert opened(NOTE + witness, ORIGIN, [KEY]) == CHECKPOINT


REFUSED = {
    "another key": (NOTE, [VerifierKey(ORIGIN, bytes(31) + b"\1")], "no key that is trusted"),
    "no key": (NOTE, [], "no key that is trusted"),
    "another size": (NOTE.replace("1532", "1533"), [KEY], "false"),
    "another time": (NOTE.replace("18:00:00", "18:00:01"), [KEY], "false"),
    "another root": (NOTE.replace("\nAAAA", "\nBAAA"), [KEY], "false"),
    "another log": (NOTE.replace(ORIGIN, origin_of(some_tenant())), [KEY], "another log"),
    "no time": (NOTE.replace("time 2026-11-21T18:00:00Z\n", ""), [KEY], "no checkpoint"),
    "no signature": (CHECKPOINT.text, [KEY], "no signed note|no checkpoint"),
    "an empty one": ("", [KEY], "no signed note"),
    "a signature that is no base64": (f"{CHECKPOINT.text}\n— {ORIGIN} %%%\n", [KEY], "cannot be read"),
    "a size with a zero before it": (NOTE.replace("1532", "01532"), [KEY], "no checkpoint"),
    "a number in other digits": (NOTE.replace("1532", "१५३२"), [KEY], "no checkpoint"),
    "one without end": (NOTE + "x" * 20_000, [KEY], "no signed note"),
    "a false signature before a true one": (
        f"{CHECKPOINT.text}\n— {ORIGIN} {base64.b64encode(bytes.fromhex(KEY.key_id) + bytes(64)).decode()}\n"
        + NOTE.split("\n\n")[1],
        [KEY],
        "false",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_was_not_signed_so_is_refused(name: str) -> None:
    note, keys, reason = REFUSED[name]
    with pytest.raises(NoteRefused, match=reason):
        opened(note, ORIGIN, keys)


@pytest.mark.parametrize(
    "text", ["", "a+b", KEY.text + "x", KEY.text.replace(KEY.key_id, "00000000"), "a+00000000+%%", KEY.text[:-8]]
)
def test_a_line_that_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(NoteRefused, match="no public key"):
        VerifierKey.parse(text)
    assert stated_size(text) == 0
