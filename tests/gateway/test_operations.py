"""Dead letters, the check of the audit log, and reports."""

import asyncio
from typing import Any

import pytest

from contracts.envelope import PLATFORM, Tenant, uuid7
from contracts.operations import AuditVerificationCompleted, EventDeadLettered
from contracts.planning import ReportCompleted
from services.chassis.bus.transport import EVENTS, Delivery, Subscription
from services.chassis.consumer import ATTEMPTS_KEY
from services.gateway.app import DEFAULT_TENANT
from tests.gateway.platform import Platform


def dead(tenant: Tenant = DEFAULT_TENANT, queue: str = "test.retried", event_id: str = "e1") -> EventDeadLettered:
    return EventDeadLettered(
        tenant=tenant,
        service=queue.split(".")[0],
        queue=queue,
        event_id=event_id,
        event_type="six_r.requested",
        attempts=6,
        code="handler_failed",
        reason="ValueError: no.",
        trace="Traceback …",
        message={"id": event_id, "type": "six_r.requested", "data": {"a": 1}, ATTEMPTS_KEY: 5},
    )


async def open_letter(platform: Platform, event: EventDeadLettered, tenant: Tenant | None = None) -> str:
    await platform.hear(event)
    (letter,) = (await platform.get("/dead-letters", tenant))["items"]
    return str(letter["dead_letter_id"])


async def act(platform: Platform, letter_id: str, action: str, tenant: Tenant | None = None) -> Any:
    return await platform.client.post(f"/api/v1/dead-letters/{letter_id}/{action}", headers=platform.of(tenant))


async def test_a_dead_letter_is_listed_and_shown_with_its_event(platform: Platform) -> None:
    event = dead()
    letter_id = await open_letter(platform, event)
    shown = await platform.get(f"/dead-letters/{letter_id}")
    assert (shown["status"], shown["code"], shown["reason"]) == ("open", event.code, event.reason)
    assert (shown["trace"], shown["message"]) == (event.trace, event.message)


async def test_messages_without_an_id_are_listed_each_for_itself_and_once(platform: Platform) -> None:
    first, second = (dead(event_id="").model_copy(update={"message": {"data": text}}) for text in ("one", "two"))
    again = dead(event_id="").model_copy(update={"message": first.message})
    for event in (first, second, again):
        await platform.hear(event)
    letters = (await platform.get("/dead-letters"))["items"]
    shown = [(await platform.get(f"/dead-letters/{letter['dead_letter_id']}"))["message"] for letter in letters]
    assert sorted(message["data"] for message in shown) == ["one", "two"]


async def test_a_replay_sends_the_event_to_its_queue_and_counts_attempts_anew(platform: Platform) -> None:
    received: list[bytes] = []

    async def take(delivery: Delivery) -> None:
        received.append(delivery.body)

    await platform.runtime.transport.start([Subscription("test.retried", "test", EVENTS, "none", take)])
    letter_id = await open_letter(platform, dead())
    answer = await act(platform, letter_id, "replay")
    assert (answer.status_code, answer.json()["status"]) == (200, "replayed")
    await platform.settled()
    assert received == [b'[{"id":"e1","type":"six_r.requested","data":{"a":1}}]']
    assert platform.heard.messages[-1]["type"] == "dead_letter.replayed"
    assert platform.heard.messages[-1]["data"] == {
        "event_id": "e1",
        "queue": "test.retried",
        "replayed_by": "operator",
    }
    assert (await platform.get("/dead-letters"))["items"] == []
    assert len((await platform.get("/dead-letters", status="replayed"))["items"]) == 1


async def test_a_drop_is_told_and_listed(platform: Platform) -> None:
    letter_id = await open_letter(platform, dead())
    answer = await act(platform, letter_id, "drop")
    assert (answer.status_code, answer.json()["status"]) == (200, "dropped")
    await platform.settled()
    assert platform.heard.messages[-1]["type"] == "dead_letter.dropped"
    assert [item["dead_letter_id"] for item in (await platform.get("/dead-letters", status="dropped"))["items"]] == [
        letter_id
    ]


@pytest.mark.parametrize("action", ["replay", "drop"])
async def test_a_dropped_letter_is_closed(platform: Platform, action: str) -> None:
    letter_id = await open_letter(platform, dead())
    await act(platform, letter_id, "drop")
    answer = await act(platform, letter_id, action)
    assert (answer.status_code, answer.json()["code"]) == (409, "not_open")


async def test_only_one_of_many_drops_wins(platform: Platform) -> None:
    letter_id = await open_letter(platform, dead())
    answers = await asyncio.gather(*(act(platform, letter_id, "drop") for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [200, *[409] * 5]


async def test_a_letter_that_dies_again_is_open_again(platform: Platform) -> None:
    event = dead()
    letter_id = await open_letter(platform, event)
    await act(platform, letter_id, "drop")
    again = event.model_copy(update={"id": uuid7(), "reason": "ValueError: still no."})
    assert await open_letter(platform, again) == letter_id
    assert (await platform.get(f"/dead-letters/{letter_id}"))["reason"] == "ValueError: still no."


async def test_a_message_refused_at_the_door_is_the_platforms_and_cannot_be_replayed(platform: Platform) -> None:
    letter_id = await open_letter(platform, dead(PLATFORM, "gateway.external"), PLATFORM)
    assert (await platform.get("/dead-letters"))["items"] == []
    answer = await act(platform, letter_id, "replay", PLATFORM)
    assert (answer.status_code, answer.json()["code"]) == (409, "not_replayable")
    assert (await act(platform, letter_id, "drop", PLATFORM)).status_code == 200


async def test_a_verification_runs_until_its_result_is_heard(platform: Platform) -> None:
    asked = await platform.client.post("/api/v1/audit/verifications")
    assert (asked.status_code, asked.json()["status"]) == (202, "running")
    path = f"/audit/verifications/{asked.json()['verification_id']}"
    assert await platform.get(path) == asked.json()
    await platform.settled()
    assert platform.heard.messages[-1]["type"] == "audit_verification.requested"
    result = {"valid": False, "entries": 3, "head": "ab", "broken_at": 2, "detail": "Entry 2 is missing."}
    await platform.hear(
        AuditVerificationCompleted.model_validate(
            {"tenant": DEFAULT_TENANT, "verification_id": asked.json()["verification_id"], **result}
        )
    )
    assert await platform.get(path) == {**asked.json(), "status": "done", **result}


@pytest.mark.parametrize("format", ["html", "xlsx", "json"])
async def test_a_report_is_downloaded_as_it_was_written(platform: Platform, format: str) -> None:
    content = bytes(range(256)) * 9_000
    blob = await platform.runtime.blobs.put_bytes(DEFAULT_TENANT, "reports", content, "application/x-test")
    flow_id = uuid7()
    files = {format: blob}
    await platform.hear(ReportCompleted.model_validate({"tenant": DEFAULT_TENANT, "flow_id": flow_id, "files": files}))
    response = await platform.client.get(f"/api/v1/reports/{flow_id}/{format}")
    assert response.status_code == 200
    assert response.content == content
    assert response.headers["content-type"] == "application/x-test"
    assert response.headers["content-length"] == str(len(content))
    assert response.headers["content-disposition"] == f'attachment; filename="migration-plan.{format}"'
    assert response.headers["etag"] == f'"{blob.sha256}"'


async def test_a_report_that_is_not_there_is_a_404_with_the_reason(platform: Platform) -> None:
    response = await platform.client.get(f"/api/v1/reports/{uuid7()}/html")
    assert (response.status_code, response.json()["code"]) == (404, "report_not_found")


async def test_a_report_whose_file_is_gone_is_a_problem_and_no_broken_download(platform: Platform) -> None:
    blob = await platform.runtime.blobs.put_bytes(DEFAULT_TENANT, "reports", b"x", "text/html")
    lost = blob.model_copy(update={"key": blob.key[:-1] + ("0" if blob.key[-1] != "0" else "1")})
    flow_id = uuid7()
    await platform.hear(ReportCompleted(tenant=DEFAULT_TENANT, flow_id=flow_id, files={"html": lost}))
    response = await platform.client.get(f"/api/v1/reports/{flow_id}/html")
    assert (response.status_code, response.json()["code"]) == (404, "blob_not_found")


async def test_a_report_told_again_shows_its_newest_files(platform: Platform) -> None:
    flow_id = uuid7()
    for content in (b"first", b"second"):
        blob = await platform.runtime.blobs.put_bytes(DEFAULT_TENANT, "reports", content, "text/html")
        await platform.hear(ReportCompleted(tenant=DEFAULT_TENANT, flow_id=flow_id, files={"html": blob}))
    assert (await platform.client.get(f"/api/v1/reports/{flow_id}/html")).content == b"second"


async def test_a_report_without_files_changes_nothing(platform: Platform) -> None:
    await platform.hear(ReportCompleted(tenant=DEFAULT_TENANT, flow_id=uuid7(), files={}))
    assert "event.dead_lettered" not in platform.heard.types()
