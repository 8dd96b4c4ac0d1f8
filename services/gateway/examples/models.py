"""One example a REST model, for the OpenAPI document: each is built by the model itself, so none can go stale."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from contracts import rest, rest_flows, rest_operations
from contracts.discovery import ColumnMapping, TableMapping
from contracts.flows import PhaseView
from contracts.forms import FieldMappingEdits
from contracts.lifecycle import FlowRepair, StartOptions
from contracts.rest_planning import TreatmentView, WaveView
from services.gateway.examples.access import ACCESS_EXAMPLES
from services.gateway.examples.agent import AGENT_EXAMPLES
from services.gateway.examples.assets import ASSET_EXAMPLES
from services.gateway.examples.audit import AUDIT_EXAMPLES
from services.gateway.examples.configuration import CONFIGURATION_EXAMPLES
from services.gateway.examples.encryption import ENCRYPTION_EXAMPLES
from services.gateway.examples.learning import LEARNING_EXAMPLES
from services.gateway.examples.memory import MEMORY_EXAMPLES
from services.gateway.examples.people import PEOPLE_EXAMPLES
from services.gateway.examples.webhooks import WEBHOOK_EXAMPLES

AT = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
CLIENT = UUID("6f0c6f0e-58a5-4d0b-9a53-0a8c6f3a1f10")
ENGAGEMENT = UUID("0197a6a0-0000-7000-8000-000000000010")
IMPORT = UUID("0197a6a0-0000-7000-8000-000000000020")
FLOW = UUID("0197a6a0-0000-7000-8000-000000000030")
TABLE = UUID("0197a6a0-0000-7000-8000-000000000001")
REQUEST = UUID("0197a6a0-0000-7000-8000-000000000060")
REPAIR = UUID("0197a6a0-0000-7000-8000-000000000070")
SCHEDULE = UUID("0197a6a0-0000-7000-8000-000000000080")
TASK = UUID("0197a6a0-0000-7000-8000-000000000040")
SHOP = UUID("f2a8b6c4-1d3e-5f70-8a92-b4c6d8e0f102")
LEDGER = UUID("0b9d7f5e-3c1a-5e48-9d26-f0a2c4e6b813")
SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"  # pragma: allowlist secret

_MAPPING = TableMapping(
    table_id=TABLE,
    file_name="inventory.csv",
    kind="inventory",
    columns=[
        ColumnMapping(
            column="Provisioned MiB",
            field="storage_gb",
            confidence=0.91,
            status="accepted",
            unit="MiB",
            reason="A known name of Storage in RVTools exports.",
        )
    ],
)
_FLOW = rest.FlowDetail(
    flow_id=FLOW,
    flow_type="discovery",
    revision=4,
    version=1,
    status="waiting",
    current_phase="field_mapping",
    phases=[
        PhaseView(name="data_import", status="completed", attempt=1),
        PhaseView(name="field_mapping", status="waiting"),
    ],
    waits_for="a decision on the field mapping",
    waits_until=None,
    problem=None,
    parent_flow_id=None,
    created_at=AT,
    updated_at=AT,
    started_at=AT,
    pending_approval_ids=[TASK],
    possible_actions=["pause", "cancel", "skip"],
)
_ENTRY = rest_flows.TimelineItem(
    seq=3,
    at=AT,
    cause="data_import.completed",
    actor=None,
    phase="field_mapping",
    status="running",
    note="data_import completed",
    checkpoint=True,
    waits_for="field mapping to finish",
    waits_until=None,
)
_LETTER = rest.DeadLetterDetail(
    dead_letter_id=UUID("5a1c9e7b-2d4f-5e60-b812-a3c5e7f90b1d"),
    service="gateway",
    queue="gateway.external",
    event_id="order-4711",
    event_type="discovery.requested",
    attempts=1,
    code="unknown_api_key",
    reason="The message has no valid API key in its header x-api-key.",
    status="open",
    dead_lettered_at=AT,
    trace=None,
    message={"specversion": "1.0", "id": "order-4711", "type": "discovery.requested", "source": "/cmdb"},
)
_ENGAGEMENT = rest.EngagementCreate(client_name="Contoso Ltd", engagement_name="Data centre exit 2027")
_SCHEDULE_BODY = rest_operations.ScheduleBody(
    name="Nightly inventory",
    cron="0 2 * * 1-5",
    time_zone="Europe/Berlin",
    start=rest_flows.FlowStart(rest_flows.DiscoveryStart(import_ids=[IMPORT], then=["assessment"])),
)
_SCHEDULE = rest_operations.ScheduleDetail(
    **_SCHEDULE_BODY.model_dump(mode="json"),
    schedule_id=SCHEDULE,
    next_at=datetime(2026, 11, 23, 1, tzinfo=UTC),
    saved_by="operator",
    saved_at=AT,
    flow_ids=[FLOW],
)
_TOOK = rest_operations.Percentiles(p50=2.1, p95=9.8, p99=14.2)

_EXAMPLES: tuple[BaseModel, ...] = (
    rest.ProblemDetails(
        type="urn:ai-modernize:problem:flow_not_found",
        title="Flow not found",
        status=404,
        detail=f"There is no flow {FLOW} in this engagement.",
        instance=f"/api/v1/flows/{FLOW}",
        code="flow_not_found",
        trace_id="4bf92f3577b34da6a3ce929d0e0e4736",
    ),
    _ENGAGEMENT,
    rest.EngagementView(
        client_account_id=CLIENT,
        engagement_id=ENGAGEMENT,
        client_name=_ENGAGEMENT.client_name,
        engagement_name=_ENGAGEMENT.engagement_name,
    ),
    rest.ImportFromUrl(url="https://files.example.com/inventory.csv"),
    rest.ImportView(import_id=IMPORT, file_name="inventory.csv", size_bytes=329_873, sha256=SHA256, uploaded_at=AT),
    rest_flows.FlowStart(
        rest_flows.DiscoveryStart(import_ids=[IMPORT], options=StartOptions(priority=5, correlation_id="CHG-4711"))
    ),
    rest_flows.FlowControlBody(phase="field_mapping", comment="The export was corrected."),
    rest_flows.FlowForkBody(seq=3),
    rest_flows.FlowAccepted(**_FLOW.model_dump(), request_id=REQUEST),
    rest_flows.FlowRequestView(request_id=REQUEST, status="done", note="paused"),
    _ENTRY,
    rest_flows.FlowMatches(
        items=[
            rest_flows.FlowMatch(
                flow=rest.FlowView(**_FLOW.model_dump(include=set(rest.FlowView.model_fields))),
                reasons=["it found the asset shop-web-01 with the address 10.20.0.11"],
            )
        ],
        complete=True,
    ),
    rest_flows.FlowRepairBody(flow_id=FLOW),
    rest_flows.FlowRepairView(
        repair_id=REPAIR,
        status="done",
        flows_checked=1,
        repairs=[
            FlowRepair(
                flow_id=FLOW,
                code="child_row_differs",
                found="The child row said running, the master row waiting.",
                done="The child row says waiting.",
            )
        ],
    ),
    rest.FlowView(**_FLOW.model_dump(include=set(rest.FlowView.model_fields))),
    _FLOW,
    rest.FlowPoll(**_FLOW.model_dump(), next_poll_seconds=15),
    rest.ApprovalView(
        task_id=TASK,
        flow_id=FLOW,
        kind="field_mapping",
        title="Check 1 column of inventory.csv",
        details={"mappings": [_MAPPING.model_dump(mode="json")]},
        form=FieldMappingEdits.model_json_schema(),
        status="pending",
        expires_at=None,
    ),
    rest.ApprovalDecisionBody(
        decision="edit", edits={str(TABLE): {"Tier": "dr_tier", "Size": None}}, comment="Tier is the DR tier here."
    ),
    rest.AssetView(
        asset_uid=UUID("7c5e3a19-8b6d-5f42-a0c8-1e3d5b7f9a24"),
        name="shop-web-01",
        asset_type="virtual_machine",
        environment="production",
        operating_system="Ubuntu Linux",
        os_version="22.04",
        ip_address="10.20.0.11",
        application_name="Web shop",
        criticality="high",
        datacenter="Frankfurt",
        lifecycle_status="active",
        cpu_cores=4,
        memory_gb=16,
        storage_gb=120.5,
        attributes={"cluster": "esx-prod-2"},
        source_rows="inventory.csv:17; servers.xlsx/Linux:4",
    ),
    rest.ApplicationView(
        application_uid=SHOP,
        name="Web shop",
        asset_count=6,
        environment="production",
        criticality="high",
        business_owner="Ada Ortiz",
        technical_owner=None,
        inferred=False,
    ),
    rest.DependencyView(
        dependency_id=UUID("3e1c5a7b-9d8f-5b60-8c42-e6a0f2d4b895"),
        source_application_uid=SHOP,
        target_application_uid=LEDGER,
        source_name="Web shop",
        target_name="Ledger",
        kind="connection",
        port=5432,
        observations=1_204,
        evidence="shop-web-01 connects to ledger-db-01 on port 5432.",
    ),
    TreatmentView(
        application_uid=SHOP,
        name="Web shop",
        strategy="replatform",
        confidence=0.82,
        rule="managed_database",
        reason="Its database engine is offered as a managed service.",
        risk=0.35,
        complexity=0.4,
        engine="rules",
    ),
    WaveView(
        number=1,
        name="Pilot",
        application_names=["Web shop", "Ledger"],
        asset_count=9,
        risk=0.2,
        move_groups=1,
        reason="The least risky group of applications that depend on each other.",
    ),
    _SCHEDULE_BODY,
    rest_operations.ScheduleView(**_SCHEDULE.model_dump(exclude={"flow_ids"})),
    _SCHEDULE,
    rest_operations.LimitsBody(weight=2, running_flows=200),
    rest_operations.LimitsView(weight=2, running_flows=200, saved_by="operator", saved_at=AT),
    rest_operations.PerformanceView(
        since=datetime(2026, 11, 13, 9, 30, tzinfo=UTC),
        until=AT,
        flow_types=[
            rest_operations.FlowPerformance(
                flow_type="discovery",
                live=3,
                queued=1,
                runs=42,
                completed=40,
                failed=1,
                cancelled=1,
                success_rate=40 / 41,
                duration=_TOOK,
                queue_time=rest_operations.Percentiles(p50=0.01, p95=0.4, p99=1.3),
                phases=[
                    rest_operations.PhasePerformance(
                        name="data_import",
                        runs=42,
                        completed=41,
                        failed=1,
                        success_rate=41 / 42,
                        retries=2,
                        duration=_TOOK,
                    )
                ],
            )
        ],
    ),
    rest.MappingsView(flow_id=FLOW, decided=False, mappings=[_MAPPING]),
    rest.RejectedRowView(
        file_name="inventory.csv",
        sheet=None,
        row=402,
        reason="The row is a total, not a machine.",
        raw={"Name": "Total", "Memory": "6,144 GB"},
    ),
    rest.CellProblemView(
        file_name="inventory.csv",
        sheet=None,
        row=88,
        column="Memory",
        field="memory_gb",
        raw="lots",
        reason="'lots' is no number.",
    ),
    rest.DeadLetterView(**_LETTER.model_dump(include=set(rest.DeadLetterView.model_fields))),
    _LETTER,
)

# By the name of the schema in the OpenAPI document.
EXAMPLES: dict[str, dict[str, Any]] = {
    type(example).__name__: example.model_dump(mode="json", exclude_unset=isinstance(example, rest.ProblemDetails))
    for example in (
        *(*_EXAMPLES, *ACCESS_EXAMPLES, *ASSET_EXAMPLES, *AUDIT_EXAMPLES, *AGENT_EXAMPLES),
        *(*LEARNING_EXAMPLES, *MEMORY_EXAMPLES, *CONFIGURATION_EXAMPLES, *PEOPLE_EXAMPLES, *ENCRYPTION_EXAMPLES),
        *WEBHOOK_EXAMPLES,
    )
}
