"""An export is checked with nothing but the file and what was kept: whatever was done to the file is found."""

import json
import zipfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from services.audit import offline
from services.audit.chain import entry_hash, genesis
from services.audit.notes import NoteRefused, VerifierKey, opened, origin_of
from services.audit.offline import CHECKPOINTS, ENTRIES, KEYS, LOG, NEWEST, NotAnExport, tenant_of, verified
from services.audit.signing_keys import made
from services.chassis.testing import some_tenant
from tests.audit.logs import Log

# Entries 1 to 3, 4 to 7 and 8 to 12 are signed.
SIZES = (3, 4, 5)


@dataclass
class Export:
    """An export that can be changed, and what its auditor kept before."""

    path: Path
    log: Log
    keys: list[VerifierKey]
    kept: str

    def objects(self, name: str) -> list[dict[str, Any]]:
        with zipfile.ZipFile(self.path) as archive:
            return [json.loads(line) for line in archive.read(name).splitlines()]

    def write(self, name: str, lines: list[dict[str, Any]] | str) -> None:
        """Replace a member."""
        text = lines if isinstance(lines, str) else "".join(f"{json.dumps(line)}\n" for line in lines)
        with zipfile.ZipFile(self.path) as archive:
            members = {member: archive.read(member) for member in archive.namelist()}
        with zipfile.ZipFile(self.path, "w") as archive:
            for member, content in {**members, name: text.encode()}.items():
                archive.writestr(member, content)

    def change_entries(self, change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> None:
        self.write(ENTRIES, change(self.objects(ENTRIES)))


@pytest.fixture
async def export(log: Log, tmp_path: Path) -> Export:
    """A signed log of twelve entries in a file."""
    signed = await log.signed(*SIZES)
    return Export(await log.export(tmp_path), log, await log.keys(), signed[-1].note)


def renumbered(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**entry, "seq": seq} for seq, entry in enumerate(entries, start=1)]


def chained(export: Export, entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same records in a chain that fits."""
    previous, rewritten = genesis(export.log.tenant), []
    for seq, entry in enumerate(entries, start=1):
        previous = entry_hash(previous, seq, entry["record"])
        rewritten.append({"seq": seq, "hash": previous, "record": entry["record"]})
    return rewritten


def edited(entries: list[dict[str, Any]], at: int = 5) -> list[dict[str, Any]]:
    return [{**one, "record": one["record"].replace("me", "you")} if one["seq"] == at else one for one in entries]


async def edit(export: Export) -> None:
    export.change_entries(edited)


async def insert(export: Export) -> None:
    export.change_entries(lambda entries: renumbered([*entries[:5], entries[2], *entries[5:]]))


async def delete(export: Export) -> None:
    export.change_entries(lambda entries: [*entries[:4], *entries[5:]])


async def delete_and_renumber(export: Export) -> None:
    export.change_entries(lambda entries: renumbered([*entries[:4], *entries[5:]]))


async def reorder(export: Export) -> None:
    export.change_entries(lambda entries: renumbered([*entries[:4], entries[5], entries[4], *entries[6:]]))


async def truncate(export: Export) -> None:
    export.change_entries(lambda entries: entries[:9])


async def truncate_with_checkpoints(export: Export) -> None:
    export.change_entries(lambda entries: entries[:7])
    export.write(CHECKPOINTS, export.objects(CHECKPOINTS)[:2])


async def rewrite(export: Export) -> None:
    export.change_entries(lambda entries: chained(export, edited(entries)))


async def add_at_the_end(export: Export) -> None:
    export.change_entries(lambda entries: chained(export, [*entries, entries[0]]))


async def forge_signature(export: Export) -> None:
    notes = export.objects(CHECKPOINTS)
    head, signature = notes[1]["note"].rstrip("\n").rsplit(" ", 1)
    forged = signature[:20] + ("A" if signature[20] != "A" else "B") + signature[21:]
    export.write(CHECKPOINTS, [notes[0], {**notes[1], "note": f"{head} {forged}\n"}, notes[2]])


async def forge_root(export: Export) -> None:
    notes = export.objects(CHECKPOINTS)
    origin, size, root, rest = notes[1]["note"].split("\n", 3)
    forged = ("A" if root[0] != "A" else "B") + root[1:]
    export.write(CHECKPOINTS, [notes[0], {**notes[1], "note": "\n".join([origin, size, forged, rest])}, notes[2]])


async def swap_checkpoints(export: Export) -> None:
    one, two, three = export.objects(CHECKPOINTS)
    export.write(CHECKPOINTS, [{**one, "note": two["note"]}, {**two, "note": one["note"]}, three])


async def drop_a_checkpoint(export: Export) -> None:
    one, _, three = export.objects(CHECKPOINTS)
    export.write(CHECKPOINTS, [one, three])


async def drop_every_checkpoint(export: Export) -> None:
    export.write(CHECKPOINTS, [])


async def take_a_neighbours_checkpoint(export: Export) -> None:
    neighbour = export.log.of(some_tenant())
    [_, foreign] = await neighbour.signed(3, 4)
    one, two, three = export.objects(CHECKPOINTS)
    export.write(CHECKPOINTS, [one, {**two, "note": foreign.note}, three])


async def take_a_neighbours_entries(export: Export) -> None:
    neighbour = export.log.of(some_tenant())
    await neighbour.grow(12)
    rows = [{"seq": row.seq, "hash": row.hash, "record": row.record} for row in await neighbour.rows()]
    export.write(ENTRIES, rows)


async def pass_for_a_neighbours(export: Export) -> None:
    export.write(LOG, json.dumps({"format": 1, "entries": 12, **some_tenant().model_dump(mode="json")}))


Attack = Callable[[Export], Awaitable[None]]
ATTACKS: dict[str, tuple[Attack, int]] = {
    "an edit": (edit, 5),
    "an insertion": (insert, 6),
    "a deletion": (delete, 5),
    "a deletion that is closed by new numbers": (delete_and_renumber, 5),
    "a new order": (reorder, 5),
    "a truncation": (truncate, 10),
    "a rewrite of everything": (rewrite, 4),
    "an entry added at the end": (add_at_the_end, 13),
    "a forged signature": (forge_signature, 7),
    "a forged root": (forge_root, 7),
    "a swapped checkpoint": (swap_checkpoints, 3),
    "a dropped checkpoint": (drop_a_checkpoint, 7),
    "no checkpoint at all": (drop_every_checkpoint, 1),
    "a checkpoint of another log": (take_a_neighbours_checkpoint, 7),
    "entries of another tenant": (take_a_neighbours_entries, 1),
    "the log under the name of another tenant": (pass_for_a_neighbours, 1),
}


@pytest.mark.parametrize("name", ATTACKS)
async def test_an_attack_on_the_file_is_found(export: Export, name: str) -> None:
    found = verified(export.path, export.keys)
    assert (found.valid, found.entries, found.checkpoints, found.signed) == (True, 12, 3, 12)
    attack, place = ATTACKS[name]
    await attack(export)
    found = verified(export.path, export.keys)
    assert (found.valid, found.broken_at) == (False, place), found.detail


async def test_a_truncation_with_its_checkpoints_is_found_by_who_kept_a_later_one(export: Export) -> None:
    await truncate_with_checkpoints(export)
    assert verified(export.path, export.keys).valid
    found = verified(export.path, export.keys, [export.kept])
    assert (found.valid, found.broken_at) == (False, 8)
    assert "a checkpoint of 12 was signed" in found.detail


async def test_a_later_export_goes_on_from_a_kept_checkpoint(export: Export, tmp_path: Path) -> None:
    await export.log.signed(20)
    found = verified(await export.log.export(tmp_path), export.keys, [export.kept])
    assert (found.valid, found.entries, found.checkpoints) == (True, 32, 5)


async def test_a_wrong_key_verifies_nothing(export: Export) -> None:
    for keys in ([], [made(export.log.tenant).key], [made(some_tenant()).key]):
        found = verified(export.path, keys)
        assert (found.valid, found.broken_at) == (False, 3)
        assert "no key that is trusted signed it" in found.detail


async def test_checkpoints_under_an_old_and_a_new_key_verify_with_both(export: Export, tmp_path: Path) -> None:
    log = export.log
    new = await log.replace_key()
    await log.signed(1)
    assert new.key_id != export.keys[0].key_id
    path = await log.export(tmp_path)
    both = await log.keys()
    assert [key.text for key in both] == [export.keys[0].text, new.public_key]
    assert verified(path, both).valid
    assert verified(path, export.keys).broken_at == 13
    assert verified(path, both[1:]).broken_at == 3
    with zipfile.ZipFile(path) as archive:
        assert [VerifierKey.parse(line) for line in archive.read(KEYS).decode().splitlines()] == both
        assert opened(archive.read(NEWEST).decode(), origin_of(log.tenant), both).size == 13


async def test_a_file_that_is_no_export_says_what_is_wrong(export: Export, tmp_path: Path) -> None:
    nothing = tmp_path / "nothing.zip"
    nothing.write_bytes(b"PK\x03\x04 but no more")
    with pytest.raises(NotAnExport, match="cannot be read as a ZIP file"):
        verified(nothing, export.keys)
    with zipfile.ZipFile(nothing, "w") as archive:
        archive.writestr("readme.md", "hello")
    with pytest.raises(NotAnExport, match=r"has no readable log\.json"):
        tenant_of(nothing)
    lines = export.objects(ENTRIES)
    for broken in ({"seq": 5}, {**lines[4], "seq": "5"}, {**lines[4], "record": None}):
        export.write(ENTRIES, [*lines[:4], broken, *lines[5:]])
        with pytest.raises(NotAnExport, match=r"Line 5 of entries\.ndjson"):
            verified(export.path, export.keys)
    export.write(LOG, "{}")
    with pytest.raises(NotAnExport, match="whose log"):
        verified(export.path, export.keys)


async def test_an_export_is_read_in_pieces(export: Export, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offline, "PIECE_ROWS", 2)
    found = verified(export.path, export.keys, [export.kept])
    assert (found.valid, found.checkpoints) == (True, 4)
    await edit(export)
    assert verified(export.path, export.keys, [export.kept]).broken_at == 5


async def test_whose_log_it_is_says_the_export_itself(export: Export) -> None:
    assert tenant_of(export.path) == export.log.tenant
    with pytest.raises(NoteRefused, match="another log"):
        opened(export.kept, origin_of(some_tenant()), export.keys)
