"""Sealed values: only the place that they were sealed for gets them back."""

import threading
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.envelope import Tenant
from services.chassis.encryption import OVERHEAD_BYTES, CannotOpen, KeyMissing, Vault, sealed_version
from services.chassis.errors import Conflict, ExpectedFailure
from services.chassis.testing import some_tenant
from tests.chassis.keys_in_memory import Keys

TENANT = Tenant(client_account_id=UUID(int=1), engagement_id=UUID(int=2))
PURPOSE = "webhooks.secret"
ROW = uuid4()
SEALED_BY_FORMAT_1 = (
    "0100000001620d529b80fe500e61fdc0ad4a7c5960f47f61feae5f12747f7663202e315d50f37b44"  # pragma: allowlist secret
    "bb2a3e8f830db9cf5e2dfc200bd7e8422d98a1b90c15f877ff7efb"  # pragma: allowlist secret
)


VAULT = Vault(Keys())


@given(st.binary(max_size=300), st.text(max_size=20), st.text("abc._", max_size=20))
def test_what_is_sealed_for_a_place_opens_there_and_tells_only_its_length(
    plaintext: bytes, context: str, purpose: str
) -> None:
    sealed = VAULT.seal(TENANT, purpose, context, plaintext)
    assert VAULT.open(TENANT, purpose, context, sealed) == plaintext
    assert len(sealed) == len(plaintext) + OVERHEAD_BYTES
    assert len(plaintext) < 4 or plaintext not in sealed


@pytest.mark.parametrize(
    ("tenant", "purpose", "context"),
    [
        (TENANT, PURPOSE, uuid4()),
        (TENANT, "webhooks.address", ROW),
        (TENANT.model_copy(update={"engagement_id": uuid4()}), PURPOSE, ROW),
        (TENANT.model_copy(update={"client_account_id": uuid4()}), PURPOSE, ROW),
        (TENANT, "webhooks", f".secret{ROW}"),
    ],
    ids=["row", "column", "engagement", "client", "where the column's name ends"],
)
def test_a_ciphertext_in_another_place_is_refused_and_the_error_names_the_place_and_no_content(
    tenant: Tenant, purpose: str, context: UUID | str
) -> None:
    sealed = VAULT.seal(TENANT, PURPOSE, ROW, b"very secret")
    with pytest.raises(CannotOpen) as refused:
        VAULT.open(tenant, purpose, context, sealed)
    detail = refused.value.problem.detail
    assert all(str(part) in detail for part in (purpose, context, tenant.client_account_id, tenant.engagement_id))
    assert "very secret" not in detail
    assert sealed.hex() not in detail
    assert refused.value.__cause__ is None


@given(st.data())
def test_any_change_of_any_bit_is_noticed(data: st.DataObject) -> None:
    sealed = bytearray(VAULT.seal(TENANT, PURPOSE, ROW, b"very secret"))
    at = data.draw(st.integers(0, len(sealed) * 8 - 1))
    sealed[at // 8] ^= 1 << at % 8
    with pytest.raises((CannotOpen, KeyMissing)):
        VAULT.open(TENANT, PURPOSE, ROW, bytes(sealed))


@given(st.integers(0, OVERHEAD_BYTES + 10))
def test_a_value_cut_short_is_refused(length: int) -> None:
    sealed = VAULT.seal(TENANT, PURPOSE, ROW, b"very secret")
    with pytest.raises(CannotOpen):
        VAULT.open(TENANT, PURPOSE, ROW, sealed[:length])


def test_a_column_is_sealed_and_opened_as_its_single_values_are() -> None:
    contexts = [str(number) for number in range(1000)]
    plaintexts = [context.encode() * 3 for context in contexts]
    sealed = VAULT.seal_many(TENANT, PURPOSE, contexts, plaintexts)
    assert VAULT.open_many(TENANT, PURPOSE, contexts, sealed) == plaintexts
    assert VAULT.open(TENANT, PURPOSE, contexts[7], sealed[7]) == plaintexts[7]
    with pytest.raises(CannotOpen, match="of 1 "):
        VAULT.open_many(TENANT, PURPOSE, contexts, [sealed[0], sealed[2], *sealed[2:]])


def test_no_more_messages_than_allowed_are_sealed_under_one_key() -> None:
    vault = Vault(Keys(), messages_per_key=3)
    contexts = [str(number) for number in range(10)]
    sealed = vault.seal_many(TENANT, PURPOSE, contexts[:8], [b"x"] * 8)
    sealed += [vault.seal(TENANT, PURPOSE, context, b"x") for context in contexts[8:]]
    keys = [value[:25] for value in sealed]
    assert [keys.count(key) for key in dict.fromkeys(keys)] == [3, 3, 3, 1]
    assert VAULT.open_many(TENANT, PURPOSE, contexts, sealed) == [b"x"] * 10


def test_the_bound_holds_for_threads_that_seal_at_once() -> None:
    vault = Vault(Keys(), messages_per_key=50)
    sealed: list[bytes] = []

    def seal() -> None:
        for size in range(1, 20):
            sealed.extend(vault.seal_many(TENANT, PURPOSE, ["row"] * size, [b"x"] * size))

    threads = [threading.Thread(target=seal) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    keys = [value[:25] for value in sealed]
    assert len(sealed) == 8 * 190
    assert max(keys.count(key) for key in set(keys)) <= 50
    assert len({value[:37] for value in sealed}) == len(sealed)


def test_two_processes_draw_different_keys_and_open_each_others_values() -> None:
    ours, theirs = Vault(Keys()), Vault(Keys())
    sealed = ours.seal(TENANT, PURPOSE, ROW, b"x")
    assert sealed[:25] != theirs.seal(TENANT, PURPOSE, ROW, b"x")[:25]
    assert theirs.open(TENANT, PURPOSE, ROW, sealed) == b"x"


def test_a_new_version_seals_at_once_where_it_was_made_and_opens_where_it_was_not_known_yet() -> None:
    keys = Keys()
    ours, theirs = Vault(keys), Vault(keys)
    old = theirs.seal(TENANT, PURPOSE, ROW, b"old")
    assert [ours.add(1), ours.add(1)] == [2, 2]
    new = ours.seal(TENANT, PURPOSE, ROW, b"new")
    assert (sealed_version(old), sealed_version(new), ours.version, theirs.version) == (1, 2, 2, 1)
    assert theirs.open(TENANT, PURPOSE, ROW, new) == b"new"
    assert ours.open(TENANT, PURPOSE, ROW, old) == b"old"


def test_a_missing_version_and_a_wrong_key_are_told_apart_from_a_change() -> None:
    sealed = Vault(Keys(b"a" * 32, b"b" * 32)).seal(TENANT, PURPOSE, ROW, b"x")
    with pytest.raises(KeyMissing, match=r"version 2 of the encryption keys, and there is only 1\."):
        Vault(Keys(b"a" * 32)).open(TENANT, PURPOSE, ROW, sealed)
    with pytest.raises(KeyMissing, match="a different key of that version"):
        Vault(Keys(b"a" * 32, b"c" * 32)).open(TENANT, PURPOSE, ROW, sealed)


def test_what_was_sealed_with_the_first_format_can_always_be_opened() -> None:
    sealed = bytes.fromhex(SEALED_BY_FORMAT_1)
    assert VAULT.open(TENANT, PURPOSE, "00000000-0000-0000-0000-000000000003", sealed) == b"kept for years"


def test_an_index_is_equal_for_equal_values_of_one_tenant_and_purpose_alone() -> None:
    values = [b"db01", b"db02", b"db01"]
    first, second, third = VAULT.index(TENANT, "assets.name", values)
    assert first == third != second
    assert Vault(Keys()).index(TENANT, "assets.name", values[:1]) == [first]
    elsewhere = {
        VAULT.index(some_tenant(), "assets.name", values[:1])[0],
        VAULT.index(TENANT, "assets.ip_address", values[:1])[0],
        Vault(Keys(b"z" * 32)).index(TENANT, "assets.name", values[:1])[0],
    }
    assert len(elsewhere | {first}) == 4


def test_failures_have_a_status_of_ours_not_of_the_callers() -> None:
    assert (CannotOpen.status, KeyMissing.status, Conflict.status) == (500, 500, 409)
    assert issubclass(CannotOpen, ExpectedFailure)
