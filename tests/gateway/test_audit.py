"""What the gateway asks of the audit log, and shows of it."""

from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from contracts.audit_log import (
    AuditCheckpointFailed,
    AuditCheckpointSigned,
    AuditEntriesCompleted,
    AuditEntriesFailed,
    AuditExportCompleted,
    AuditKeyCreated,
)
from contracts.envelope import Event, Problem, Tenant
from contracts.operations import AuditVerificationCompleted
from contracts.planning import ReportCompleted
from contracts.rest_audit import AuditEntryView, FoundEntries
from services.chassis.errors import NotFound
from services.gateway.app import DEFAULT_TENANT
from services.gateway.read_model.audit_handlers import forget_answers
from tests.gateway.platform import Platform, flow_updated

AT = "2026-11-21T18:00:00Z"


def signed(tenant: Tenant = DEFAULT_TENANT, size: int = 3, cause: Any = None) -> list[Event]:
    """A checkpoint and its key, as the audit service tells of them."""
    told = {"size": size, "root_hash": "AA==", "signed_at": AT, "key_id": "00112233", "note": f"n{size}"}
    return [
        AuditKeyCreated.model_validate(
            {"tenant": tenant, "causation_id": cause, "key_id": "00112233", "public_key": "a+b+c", "made_at": AT}
        ),
        AuditCheckpointSigned.model_validate(
            {"tenant": tenant, "causation_id": cause, "previous_size": 0, "consistency": [], **told}
        ),
    ]


async def asked(platform: Platform, path: str, body: Any = None) -> str:
    """Ask for something of the log; returns the id of the request, which is that of its event."""
    response = await platform.post(path, body)
    assert response.status_code == 202, response.text
    assert response.json()["status"] == "running"
    return str(response.json()["request_id"])


async def test_a_verification_is_asked_for_with_what_was_kept_and_shown(platform: Platform) -> None:
    response = await platform.post("/audit/verifications", {"checkpoints": ["note"]})
    verification_id = response.json()["verification_id"]
    request = (await platform.told("audit_verification.requested"))["data"]
    assert (request["checkpoints"], request["requested_by"]) == (["note"], "operator")
    assert request["subject"]
    found = {"valid": True, "entries": 7, "head": "h", "detail": "ok", "checkpoints": 2, "signed": 6}
    await platform.hear(
        AuditVerificationCompleted.model_validate(
            {"tenant": DEFAULT_TENANT, "verification_id": verification_id, **found}
        )
    )
    shown = await platform.get(f"/audit/verifications/{verification_id}")
    assert {name: shown[name] for name in found} == found


async def test_entries_are_asked_for_by_time_type_flow_and_person_and_shown(platform: Platform) -> None:
    flow_id = str(uuid4())
    body = {"types": ["approval.decided"], "flow_id": flow_id, "actor": "Ada", "since": AT, "limit": 2}
    request_id = await asked(platform, "/audit/entries", body)
    request = (await platform.told("audit_entries.requested"))["data"]
    assert (request["of_flow"], request["actor"], request["types"], request["limit"]) == (
        flow_id,
        "Ada",
        ["approval.decided"],
        2,
    )
    assert (await platform.get(f"/audit/entries/{request_id}"))["status"] == "running"
    entry = AuditEntryView(
        seq=4, event_id=uuid4(), event_type="x", happened_at=None, flow_id=None, actor=None, hash="h", record="{}"
    )
    found = FoundEntries(entries=[entry], next_after=4)
    file = await platform.runtime.blobs.put_bytes(
        DEFAULT_TENANT, "audit_entries", found.model_dump_json().encode(), "application/json"
    )
    await platform.hear(
        AuditEntriesCompleted.model_validate(
            {"tenant": DEFAULT_TENANT, "causation_id": request_id, "found": file, "entries": 1}
        )
    )
    shown = await platform.get(f"/audit/entries/{request_id}")
    assert (shown["status"], shown["found"]) == ("done", found.model_dump(mode="json"))


@pytest.mark.parametrize(
    ("path", "body", "show", "failed"),
    [
        ("/audit/entries", {}, "/audit/entries/{}", AuditEntriesFailed),
        ("/audit/checkpoints", None, "/audit/requests/{}", AuditCheckpointFailed),
    ],
)
async def test_what_could_not_be_done_says_why(
    platform: Platform,
    path: str,
    body: Any,
    show: str,
    failed: type[AuditEntriesFailed | AuditCheckpointFailed],
) -> None:
    request_id = await asked(platform, path, body)
    problem = Problem(code="audit_log_broken", detail="Entry 5 is not what was written.")
    await platform.hear(
        failed.model_validate({"tenant": DEFAULT_TENANT, "causation_id": request_id, "problem": problem})
    )
    shown = await platform.get(show.format(request_id))
    assert (shown["status"], shown["problem"]["detail"]) == ("failed", problem.detail)


async def test_checkpoints_and_keys_are_listed_and_whoever_asked_is_told(platform: Platform) -> None:
    checkpoint, key = await asked(platform, "/audit/checkpoints"), await asked(platform, "/audit/keys")
    await platform.hear(*signed(size=3), *signed(size=9, cause=checkpoint))
    listed = await platform.get("/audit/checkpoints")
    assert [one["note"] for one in listed["items"]] == ["n3", "n9"]
    assert [one["public_key"] for one in (await platform.get("/audit/keys"))["keys"]] == ["a+b+c"]
    assert (await platform.get(f"/audit/requests/{checkpoint}"))["status"] == "done"
    # The key that came with the checkpoint answers who asked for a checkpoint, and nobody else.
    assert (await platform.get(f"/audit/requests/{key}"))["status"] == "running"
    await platform.hear(*signed(cause=key)[:1])
    assert (await platform.get(f"/audit/requests/{key}"))["status"] == "done"


async def test_an_export_is_downloaded_and_that_is_told(platform: Platform) -> None:
    request_id = await asked(platform, "/audit/exports")
    path = f"/audit/exports/{request_id}"
    early = await platform.client.get(f"/api/v1{path}/file")
    assert (early.status_code, early.json()["code"]) == (409, "export_not_ready")
    file = await platform.runtime.blobs.put_bytes(DEFAULT_TENANT, "audit_export", b"PK", "application/zip")
    await platform.hear(
        AuditExportCompleted.model_validate(
            {"tenant": DEFAULT_TENANT, "causation_id": request_id, "file": file, "entries": 7, "checkpoints": 2}
        )
    )
    shown = await platform.get(path)
    assert (shown["status"], shown["entries"], shown["sha256"]) == ("done", 7, file.sha256)
    taken = await platform.client.get(f"/api/v1{path}/file")
    assert (taken.status_code, taken.content) == (200, b"PK")
    told = (await platform.told("audit.exported"))["data"]
    assert (told["export_id"], told["entries"], told["exported_by"]) == (request_id, 7, "operator")
    assert (await platform.client.get(f"/api/v1/audit/entries/{request_id}")).status_code == 404


async def test_taking_a_report_or_what_was_learned_is_told(platform: Platform) -> None:
    flow = flow_updated()
    report = await platform.runtime.blobs.put_bytes(DEFAULT_TENANT, "reports", b"x", "text/html")
    assert flow.flow_id is not None
    await platform.hear(flow, ReportCompleted(tenant=DEFAULT_TENANT, flow_id=flow.flow_id, files={"html": report}))
    assert (await platform.client.get(f"/api/v1/reports/{flow.flow_id}/xlsx")).status_code == 404
    await platform.settled()
    assert "report.exported" not in platform.heard.types()
    assert (await platform.client.get(f"/api/v1/reports/{flow.flow_id}/html")).content == b"x"
    told = (await platform.told("report.exported"))["data"]
    assert (told["what"], told["of_flow"], told["format"]) == ("report", str(flow.flow_id), "html")
    assert (told["exported_by"], bool(told["subject"])) == ("operator", True)
    await platform.get("/learnings/document")
    assert (await platform.told("report.exported"))["data"]["what"] == "learnings"


async def test_an_answer_goes_with_its_file_after_a_week(platform: Platform) -> None:
    runtime, refs = platform.runtime, []
    ids = [await asked(platform, path, body) for path, body in (("/audit/entries", {}), ("/audit/exports", None))]
    for request_id, kind in zip(ids, ("found", "file"), strict=True):
        refs.append(await runtime.blobs.put_bytes(DEFAULT_TENANT, "answer", b'{"entries":[]}', "application/json"))
        event = AuditEntriesCompleted if kind == "found" else AuditExportCompleted
        told = {"tenant": DEFAULT_TENANT, "causation_id": request_id, kind: refs[-1], "entries": 0, "checkpoints": 0}
        await platform.hear(event.model_validate({name: told[name] for name in told if name in event.model_fields}))
    unanswered = await asked(platform, "/audit/checkpoints")
    await forget_answers(runtime)
    assert (await platform.get(f"/audit/entries/{ids[0]}"))["status"] == "done"
    async with runtime.database.transaction(DEFAULT_TENANT) as session:
        await session.execute(text("update gateway.audit_requests set asked_at = now() - interval '8 days'"))
    for _ in range(2):
        await forget_answers(runtime)
    for path in (f"entries/{ids[0]}", f"exports/{ids[1]}", f"requests/{unanswered}"):
        gone = await platform.client.get(f"/api/v1/audit/{path}")
        assert (gone.status_code, gone.json()["code"]) == (404, "audit_request_not_found")
    for ref in refs:
        with pytest.raises(NotFound):
            await runtime.blobs.read_bytes(DEFAULT_TENANT, ref)
