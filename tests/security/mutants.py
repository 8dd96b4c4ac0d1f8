"""Bugs that would let somebody in where they do not belong, each with the test that has to notice it."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import uuid4

import pytest
from joserfc import jws
from sqlalchemy import text

from contracts.access import ROLE_SCOPES
from services.audit import notes
from services.chassis import encryption, entering, outbound_rules, runtime, tenancy
from services.chassis.entering import EnteringConnection
from services.chassis.rate_limits import Limit, RateLimits, Standing
from services.gateway import idempotency, principal
from services.gateway.access import access_tokens, attempts, keys, rotation
from services.gateway.route_scopes import ROUTE_SCOPES
from services.gateway.routes import users
from tests.audit import test_offline
from tests.chassis import test_encryption, test_interleavings, test_isolation, test_outbound_rules
from tests.gateway import test_idempotency, test_keys, test_users
from tests.security import test_owasp_api_top_10 as owasp

Patch = pytest.MonkeyPatch


@dataclass(frozen=True)
class Mutant:
    """`plant` puts the bug in. `guard` is a test, called with its fixtures, that passes without the bug."""

    plant: Callable[[Patch], None]
    guard: Callable[..., Awaitable[None] | None]
    arguments: dict[str, Any] | None = None
    # Run as the database's owner once the platform is up, for bugs that are in the database.
    statements: tuple[str, ...] = ()


def _nothing(_patch: Patch) -> None:
    """The bug is in the database alone."""


def no_scope_is_asked_for(patch: Patch) -> None:
    patch.setattr("services.gateway.principal.ROUTE_SCOPES", dict.fromkeys(ROUTE_SCOPES))


def a_role_counts_in_every_tenant(patch: Patch) -> None:
    async def everywhere(session: Any, _identity: Any, tenant: Any) -> Any:
        await tenancy.enter(session, tenant)
        return ROLE_SCOPES["platform_admin"]

    patch.setattr(principal, "scopes_in", everywhere)


def a_signature_is_not_checked(patch: Patch) -> None:
    def unchecked(token: str, _keys: Any, _now: Any) -> Any:
        return json.loads(jws.extract_compact(token.encode()).payload)

    patch.setattr(access_tokens, "claims_of", unchecked)


def a_rotated_token_is_taken_again(patch: Patch) -> None:
    def forgetful(family: rotation.Family, now: datetime, *, rotated: bool) -> rotation.Outcome:
        return rotation.presented(family, now, rotated=False)

    patch.setattr("services.gateway.access.sessions.presented", forgetful)


def failures_are_not_counted(patch: Patch) -> None:
    patch.setattr(attempts, "after_failure", lambda _patience, counter, _now: counter)


def anybody_gives_any_role(patch: Patch) -> None:
    patch.setattr(users, "refusal", lambda _role, _tenant, _scopes: None)


def a_key_fits_by_its_id_alone(patch: Patch) -> None:
    patch.setattr(keys, "_fits", lambda _vault, _key, _row: True)


def a_revoked_key_counts(patch: Patch) -> None:
    patch.setattr(keys, "counts", lambda _key, _now: True)


def a_ciphertext_has_no_place(patch: Patch) -> None:
    seal, unseal = encryption.Vault.seal_many, encryption.Vault.open_many

    def sealed(self: encryption.Vault, tenant: Any, purpose: str, contexts: Any, plaintexts: Any) -> list[bytes]:
        return seal(self, tenant, purpose, ["" for _ in contexts], plaintexts)

    def opened(self: encryption.Vault, tenant: Any, purpose: str, contexts: Any, values: Any) -> list[bytes]:
        return unseal(self, tenant, purpose, ["" for _ in contexts], values)

    patch.setattr(encryption.Vault, "seal_many", sealed)
    patch.setattr(encryption.Vault, "open_many", opened)


def inner_addresses_are_public(patch: Patch) -> None:
    patch.setattr(outbound_rules, "is_public", lambda _address: True)


def limits_let_everything_through(patch: Patch) -> None:
    original = RateLimits.take

    async def never(self: RateLimits, limit: Limit) -> Standing:
        return replace(await original(self, limit), exceeded=False)

    patch.setattr(RateLimits, "take", never)


def bodies_are_not_compared(patch: Patch) -> None:
    async def same(_once: Any) -> str:
        return "same"

    patch.setattr(idempotency.Once, "_fingerprint", same)


def a_tenant_stays_with_its_connection(patch: Patch) -> None:
    for_good = tenancy.ENTER.replace(", true)", ", false)")
    patch.setattr(tenancy, "_ENTER", text(for_good))
    patch.setattr(entering, "ENTER", for_good)


def a_transaction_that_sent_nothing_is_not_forgotten(patch: Patch) -> None:
    patch.setattr(EnteringConnection, "entering", property(_kept, _keep_first))


def _kept(self: Any) -> Any:
    return vars(self).get("kept")


def _keep_first(self: Any, tenant: Any) -> None:
    if tenant is not None:
        vars(self)["kept"] = tenant


def the_database_is_not_looked_at(patch: Patch) -> None:
    async def trusted(_connection: Any, _metadata: Any) -> None:
        return None

    patch.setattr(runtime, "require_isolation", trusted)


def a_checkpoint_verifies_whoever_signed_it(patch: Patch) -> None:
    patch.setattr(notes, "_verifies", lambda _line, _text, _known: True)


MUTANTS = {
    "no_scope_is_asked_for": Mutant(
        no_scope_is_asked_for, owasp.TestAPI5BrokenFunctionLevelAuthorization().test_a_viewer_changes_nothing
    ),
    "a_role_counts_in_every_tenant": Mutant(
        a_role_counts_in_every_tenant,
        owasp.TestAPI1BrokenObjectLevelAuthorization().test_naming_another_tenant_in_the_headers_takes_a_role_there,
    ),
    "a_policy_lets_everybody_see": Mutant(
        _nothing,
        owasp.TestAPI1BrokenObjectLevelAuthorization().test_an_id_in_the_path_is_looked_up_in_the_callers_tenant_only,
        statements=("alter policy own_tenant on gateway.flows using (true)",),
    ),
    "a_signature_is_not_checked": Mutant(
        a_signature_is_not_checked, owasp.TestAPI2BrokenAuthentication().test_a_token_that_was_changed_is_none
    ),
    "a_rotated_token_is_taken_again": Mutant(
        a_rotated_token_is_taken_again,
        owasp.TestAPI2BrokenAuthentication().test_a_stolen_refresh_token_ends_the_session_of_thief_and_victim,
    ),
    "failures_are_not_counted": Mutant(
        failures_are_not_counted,
        owasp.TestAPI2BrokenAuthentication().test_guessing_a_password_is_slowed_down_whether_or_not_the_account_exists,
    ),
    "anybody_gives_any_role": Mutant(
        anybody_gives_any_role, test_users.test_nobody_gives_or_takes_a_role_with_scopes_that_it_lacks
    ),
    "a_key_fits_by_its_id_alone": Mutant(
        a_key_fits_by_its_id_alone,
        owasp.TestAPI2BrokenAuthentication().test_a_key_is_more_than_its_id,
    ),
    "a_revoked_key_counts": Mutant(a_revoked_key_counts, test_keys.test_a_revoked_key_is_refused_at_once),
    "a_ciphertext_has_no_place": Mutant(
        a_ciphertext_has_no_place,
        test_encryption.test_a_ciphertext_in_another_place_is_refused_and_the_error_names_the_place_and_no_content,
        {"tenant": test_encryption.TENANT, "purpose": test_encryption.PURPOSE, "context": uuid4()},
    ),
    "inner_addresses_are_public": Mutant(
        inner_addresses_are_public,
        test_outbound_rules.test_what_is_inside_may_not_be_called,
        {"address": "10.0.0.1"},
    ),
    "limits_let_everything_through": Mutant(
        limits_let_everything_through,
        owasp.TestAPI4UnrestrictedResourceConsumption().test_a_caller_who_floods_is_told_to_wait_and_others_are_not,
    ),
    "bodies_are_not_compared": Mutant(
        bodies_are_not_compared, test_idempotency.test_another_request_with_the_same_key_is_refused
    ),
    "a_tenant_stays_with_its_connection": Mutant(
        a_tenant_stays_with_its_connection,
        test_interleavings.test_ten_thousand_random_steps_of_two_tenants_through_one_connection_show_no_foreign_row,
    ),
    "a_transaction_that_sent_nothing_is_not_forgotten": Mutant(
        a_transaction_that_sent_nothing_is_not_forgotten,
        test_interleavings.test_ten_thousand_random_steps_of_two_tenants_through_one_connection_show_no_foreign_row,
    ),
    "the_database_is_not_looked_at": Mutant(
        the_database_is_not_looked_at,
        test_isolation.test_a_service_refuses_to_start_says_why_and_starts_once_the_migration_job_mended_it,
    ),
    "a_checkpoint_verifies_whoever_signed_it": Mutant(
        a_checkpoint_verifies_whoever_signed_it,
        test_offline.test_an_attack_on_the_file_is_found,
        {"name": "a forged signature"},
    ),
}
