"""A creating request that is sent again has one effect and one answer, whatever happened in between."""

import asyncio
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from sqlalchemy import text

from contracts.access import ROLE_SCOPES
from contracts.envelope import Tenant
from services.gateway import idempotency
from services.gateway.app import create_api
from services.gateway.idempotency import forget_answers
from services.gateway.routes.access import emit
from tests.gateway.every_route import SCHEDULE
from tests.gateway.platform import KEY, Platform, approval_requested, flow_updated
from tests.gateway.test_keys import made, rows
from tests.gateway.test_learnings import FIELD

# POSTs that make nothing a second time: they only look, prove who somebody is, or end something.
REPEATABLE = {
    *("log_in", "refresh_session", "log_out", "log_out_everywhere", "begin_oidc_login", "finish_oidc_login"),
    *("accept_invitation", "accept_as_me", "change_password", "reset_password"),
    # It names the version it goes on from.
    "rotate_encryption",
}


async def post(
    platform: Platform, path: str, body: Any, key: str | None, tenant: Tenant | None = None, api_key: str = KEY
) -> httpx2.Response:
    """The answer to a POST with an Idempotency-Key."""
    headers = platform.of(tenant, api_key) | ({} if key is None else {"idempotency-key": key})
    return await platform.client.post(f"/api/v1{path}", json=body, headers=headers)


async def fields_of(platform: Platform, tenant: Tenant | None = None) -> int:
    """How many own fields there are."""
    return sum(each["own"] for each in (await platform.get("/fields", tenant))["items"])


async def test_every_creating_route_documents_the_header(platform: Platform) -> None:
    document = create_api(platform.runtime).openapi()
    told, posts = set(), set()
    for operations in document["paths"].values():
        for method, operation in operations.items():
            names = {parameter["name"] for parameter in operation.get("parameters", [])}
            success = [answer for status, answer in operation["responses"].items() if status.startswith("2")]
            replayed = all("Idempotency-Replayed" in answer.get("headers", {}) for answer in success)
            assert ("Idempotency-Key" in names) == replayed, operation["operationId"]
            if "Idempotency-Key" in names:
                told.add(operation["operationId"])
            if method == "post":
                posts.add(operation["operationId"])
    assert told - {"delete_flow"} == posts - REPEATABLE


@pytest.mark.parametrize("key", ["8e03978e-40d5-43dd-bc93-6894a57f9324", '"quoted as the draft has it"', "x" * 255])
async def test_the_same_request_has_the_same_answer_and_one_effect(platform: Platform, key: str) -> None:
    key = key.replace(" ", "-")
    tenant = await platform.new_tenant()
    first, again = [await post(platform, "/fields", FIELD, key, tenant) for _ in range(2)]
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert again.headers["content-type"] == first.headers["content-type"]
    assert await fields_of(platform, tenant) == 1
    await platform.settled()
    assert platform.heard.types().count("own_field.saved") == 1


async def test_quotes_are_no_part_of_the_key(platform: Platform) -> None:
    first = await post(platform, "/fields", FIELD, "abc")
    again = await post(platform, "/fields", FIELD, '"abc"')
    assert first.content == again.content


async def test_the_place_of_what_was_asked_is_replayed_too(platform: Platform) -> None:
    flow = flow_updated(await platform.new_tenant(), status="running")
    await platform.hear(flow)
    first, again = [await post(platform, f"/flows/{flow.flow_id}/pause", {}, "k", flow.tenant) for _ in range(2)]
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.headers["location"] == again.headers["location"]


async def test_a_decision_that_is_sent_again_is_no_conflict(platform: Platform) -> None:
    task = approval_requested()
    await platform.hear(task)
    path = f"/approvals/{task.task_id}/decision"
    assert (await post(platform, path, {"decision": "approve"}, "k")).status_code == 200
    assert (await post(platform, path, {"decision": "approve"}, "k")).status_code == 200
    assert (await post(platform, path, {"decision": "approve"}, None)).status_code == 409


async def test_another_request_with_the_same_key_is_refused(platform: Platform) -> None:
    assert (await post(platform, "/fields", FIELD, "k")).status_code == 201
    for path, body in (("/fields", {**FIELD, "label": "Other"}), ("/schedules", SCHEDULE)):
        refused = await post(platform, path, body, "k")
        assert (refused.status_code, refused.json()["code"]) == (422, "idempotency_key_reused")
    assert await fields_of(platform) == 1


async def test_a_key_is_its_senders_and_its_tenants(platform: Platform) -> None:
    one, other = await platform.new_tenant(), await platform.new_tenant()
    lead = (await made(platform, one, role="engagement_lead"))["key"]
    assert (await post(platform, "/fields", FIELD, "k", one)).status_code == 201
    assert (await post(platform, "/fields", FIELD, "k", other)).status_code == 201
    by_another = await post(platform, "/fields", {**FIELD, "label": "Own"}, "k", one, lead)
    assert by_another.status_code == 201
    assert "idempotency-replayed" not in by_another.headers


async def test_a_refusal_is_not_kept(platform: Platform) -> None:
    body = {"import_ids": [str(uuid4())]}
    assert (await post(platform, "/flows", body, "k")).status_code == 404
    upload = await platform.upload()
    assert (await post(platform, "/flows", {"import_ids": [upload["import_id"]]}, "k")).status_code == 202


@pytest.mark.parametrize("key", ["", "with space", '"', 'a"b"', "x" * 256])
async def test_what_is_no_key_is_refused(platform: Platform, key: str) -> None:
    refused = await post(platform, "/fields", FIELD, key)
    assert refused.status_code in (400, 422), refused.text
    assert await fields_of(platform) == 0


async def test_of_many_at_once_one_has_the_effect(platform: Platform) -> None:
    answers = await asyncio.gather(*(post(platform, "/fields", FIELD, "k") for _ in range(12)))
    created = [answer for answer in answers if answer.status_code == 201]
    waiting = [answer for answer in answers if answer.status_code == 409]
    assert len(created) + len(waiting) == 12
    assert len({answer.content for answer in created}) == 1
    assert all(answer.json()["code"] == "request_in_flight" for answer in waiting)
    assert all(answer.headers["retry-after"] == "1" for answer in waiting)
    assert await fields_of(platform) == 1
    await platform.settled()
    assert platform.heard.types().count("own_field.saved") == 1


async def test_a_request_that_dies_in_flight_leaves_its_key_free(platform: Platform) -> None:
    reached, go = asyncio.Event(), asyncio.Event()

    async def held(*arguments: Any) -> None:
        await emit(*arguments)
        reached.set()
        await go.wait()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("services.gateway.routes.fields.emit", held)
        dying = asyncio.create_task(post(platform, "/fields", FIELD, "k"))
        await reached.wait()
        waiting = await post(platform, "/fields", FIELD, "k")
        assert (waiting.status_code, waiting.headers["retry-after"]) == (409, "1")
        # As when the process is killed: the connection is gone before the commit.
        async with platform.runtime.database.session() as session:
            await session.execute(
                text(
                    "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid()"
                    " and usename = current_user and state = 'idle in transaction' and datname = current_database()"
                )
            )
        go.set()
        assert (await dying).status_code == 500
    assert await fields_of(platform) == 0
    done = await post(platform, "/fields", FIELD, "k")
    assert (done.status_code, "idempotency-replayed" in done.headers) == (201, False)
    await platform.settled()
    assert platform.heard.types().count("own_field.saved") == 1


async def test_an_upload_is_stored_once_and_compared_when_it_comes_again(platform: Platform) -> None:
    async def upload(content: bytes, name: str = "a.csv") -> httpx2.Response:
        headers = {"idempotency-key": "k"}
        return await platform.client.post(
            "/api/v1/imports", params={"file_name": name}, content=content, headers=headers
        )

    first, again = [await upload(b"a,b\n1,2\n") for _ in range(2)]
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content
    assert len((await platform.get("/imports"))["items"]) == 1
    for other in (await upload(b"a,b\n1,3\n"), await upload(b"a,b\n1,2\n", "b.csv")):
        assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert len((await platform.get("/imports"))["items"]) == 1


async def test_a_new_api_key_is_replayed_and_not_stored_in_clear(platform: Platform) -> None:
    tenant = await platform.new_tenant()
    first, again = [await post(platform, "/keys", {"name": "CMDB"}, "k", tenant) for _ in range(2)]
    assert first.json()["key"] == again.json()["key"]
    [kept] = await rows(platform, tenant, "select * from gateway.kept_answers")
    assert first.json()["key_id"].encode() not in bytes(kept["answer"])
    assert first.json()["key"] not in str(kept)
    assert len((await platform.get("/keys", tenant))["items"]) == 1
    assert set(first.json()["scopes"]) == ROLE_SCOPES["service_account"]


async def test_an_engagement_is_made_once(platform: Platform) -> None:
    body = {"client_name": "Fabrikam", "engagement_name": "Exit"}
    first, again = [await post(platform, "/engagements", body, "k") for _ in range(2)]
    assert first.json() == again.json()


async def test_answers_are_forgotten_after_a_day(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (await post(platform, "/fields", FIELD, "k")).status_code == 201
    monkeypatch.setattr(idempotency, "KEPT", -idempotency.KEPT)
    again = await post(platform, "/fields", FIELD, "k")
    assert (again.status_code, again.json()["code"]) == (409, "field_exists")
    await forget_answers(platform.runtime)
    async with platform.runtime.database.dispatch() as connection:
        left = await connection.execute(text("select count(kept_at) from gateway.kept_answers"))
        assert left.scalar_one() == 0
