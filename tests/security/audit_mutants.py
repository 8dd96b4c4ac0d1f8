"""Seeded bugs of the audit log: each takes one promise away, and the test of that promise has to fail.

A mutant is a change of one function, or one statement as the database's owner, and the test that must notice.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from services.audit import checking, handlers, notes, offline, signing
from services.audit.chain import Places
from tests.audit import test_attacks, test_handlers
from tests.audit.logs import Log


@dataclass(frozen=True)
class Mutant:
    """One seeded bug: what it breaks, how it is made, and the test that fails with it and passes without."""

    promise: str
    apply: Callable[[pytest.MonkeyPatch, Log], Awaitable[None]]
    proof: Callable[[Log, Path], Awaitable[None]]


def patched(*changes: tuple[Any, str, Any]) -> Callable[[pytest.MonkeyPatch, Log], Awaitable[None]]:
    """Replace attributes, which have to be there."""

    async def apply(monkeypatch: pytest.MonkeyPatch, _log: Log) -> None:
        for target, name, new in changes:
            monkeypatch.setattr(target, name, new)

    return apply


def stated(sql: str) -> Callable[[pytest.MonkeyPatch, Log], Awaitable[None]]:
    """Run a statement as the database's owner."""

    async def apply(_monkeypatch: pytest.MonkeyPatch, log: Log) -> None:
        async with log.owner.begin() as connection:
            await connection.exec_driver_sql(sql)

    return apply


def found(attack: str) -> Callable[[Log, Path], Awaitable[None]]:
    """An attack is found online and in an export."""
    return lambda log, folder: test_attacks.test_an_attack_is_found_online_and_in_an_export(log, attack, folder)


def _agree(check: checking.LogCheck, checkpoint: notes.Checkpoint) -> None:
    check._agreed, check._signed = check._agreed + 1, checkpoint.size


async def _whatever_was_signed(*_arguments: Any) -> None:
    return None


AUDIT_MUTANTS: dict[str, Mutant] = {
    "takes every signature for true": Mutant(
        "A checkpoint counts only if a trusted key signed it",
        patched((notes, "_verifies", lambda *_: True)),
        found("a forged signature"),
    ),
    "does not compare the tree with what was signed": Mutant(
        "A rewritten log does not fit its checkpoints",
        patched((checking.LogCheck, "_compare", _agree)),
        found("a rewrite of everything"),
    ),
    "passes over checkpoints that are missing": Mutant(
        "Each checkpoint follows the one before",
        patched(
            (checking.LogCheck, "expect", lambda check, note, size=None, previous=None: _expect(check, note, size))
        ),
        found("a deleted checkpoint"),
    ),
    "does not look at the columns beside the record": Mutant(
        "An entry is listed under what it says",
        patched((Places, "is_found_by", lambda *_: True)),
        lambda log, _: test_attacks.test_an_entry_that_would_not_be_found_any_more_is_found(log, "actor = null"),
    ),
    "begins every chain with the same hash": Mutant(
        "One tenant's entries do not pass as another's",
        patched((checking, "genesis", lambda _: "0" * 64), (handlers, "genesis", lambda _: "0" * 64)),
        test_attacks.test_a_log_given_to_another_tenant_is_found,
    ),
    "signs whatever follows on what was signed": Mutant(
        "Nothing is signed on top of what was tampered with",
        patched((signing, "_check_newest", _whatever_was_signed)),
        lambda log, _: test_attacks.test_nothing_is_signed_on_top_of_what_was_tampered_with(
            log, "what was signed was rewritten"
        ),
    ),
    "forgets what was kept elsewhere": Mutant(
        "Who kept a checkpoint finds what the database hides",
        patched((offline._Expected, "_kept_up_to", lambda *_: None)),
        lambda log, folder: test_attacks.test_who_kept_a_checkpoint_finds_what_the_database_hides(
            log, "a truncation that the service signed again", folder
        ),
    ),
    "lets the service change entries": Mutant(
        "The service's role can only append",
        stated("grant update on audit.entries to modernize_audit"),
        lambda log, _: test_handlers.test_neither_role_of_the_service_can_change_what_is_written(
            log, "update audit.entries set record = record", "service"
        ),
    ),
}

_genuine_expect = checking.LogCheck.expect


def _expect(check: checking.LogCheck, note: str, size: int | None) -> None:
    _genuine_expect(check, note, size)
    check._listed = size or check._listed
