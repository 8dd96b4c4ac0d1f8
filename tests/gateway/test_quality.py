"""Data quality over REST: measured when somebody asks, listed by measure, told again for a new inventory."""

from typing import Any
from uuid import UUID

from contracts import claim_checks
from contracts.discovery import PhaseReadiness
from contracts.envelope import Problem
from contracts.quality import QualityCompleted, QualityFailed
from services.gateway.app import DEFAULT_TENANT
from tests.gateway import estate
from tests.gateway.platform import Platform, flow_updated

READY = PhaseReadiness(phase="assessment", ready=True, failures=[])
FIGURES = [
    {"measure": "completeness", "of": "memory_gb", "good": 1, "total": 2},
    {"measure": "validity", "of": "memory_gb", "source": "a.csv", "good": 1, "total": 2},
    {"measure": "completeness", "of": "memory_gb", "asset_type": "vm", "good": 1, "total": 1},
]
FAILURE = {"measure": "validity", "of": "memory_gb", "source_rows": "a.csv:3", "value": "lots", "reason": "no number"}


async def found(platform: Platform, flow_id: UUID | None = None) -> UUID:
    flow = flow_updated(flow_id=flow_id, status="completed", phase=None)
    assert flow.flow_id is not None
    await platform.hear(
        flow, await estate.inventory(platform.runtime.blobs, DEFAULT_TENANT, flow.flow_id, [{"name": "web"}])
    )
    return flow.flow_id


async def asked(platform: Platform) -> dict[str, Any]:
    response = await platform.client.get("/api/v1/quality")
    assert (response.status_code, response.json()["status"]) == (202, "asked")
    return await platform.told("quality.requested")


async def measured(platform: Platform) -> UUID:
    """A discovery that was measured."""
    flow_id, blobs = await found(platform), platform.runtime.blobs
    question = await asked(platform)
    assert (await asked(platform))["id"] == question["id"]
    figures = await estate.stored(blobs, DEFAULT_TENANT, claim_checks.QUALITY_FIGURES, FIGURES)
    failures = await estate.stored(blobs, DEFAULT_TENANT, claim_checks.QUALITY_FAILURES, [FAILURE])
    await platform.hear(
        QualityCompleted(
            tenant=DEFAULT_TENANT,
            flow_id=flow_id,
            causation_id=UUID(question["id"]),
            figures=figures,
            failures=failures,
            readiness=[READY],
        )
    )
    return flow_id


async def test_an_inventory_is_measured_once_when_somebody_asks(platform: Platform) -> None:
    flow_id = await measured(platform)
    quality = await platform.get("/quality")
    assert quality == {
        "flow_id": str(flow_id),
        "status": "measured",
        "readiness": [READY.model_dump(mode="json")],
        "problem": None,
    }


async def test_figures_and_what_is_behind_them_are_listed_by_measure_and_type(platform: Platform) -> None:
    await measured(platform)
    assert len((await platform.get("/quality/figures"))["items"]) == len(FIGURES)
    (by_type,) = (await platform.get("/quality/figures", asset_type="vm"))["items"]
    assert (by_type["good"], by_type["total"]) == (1, 1)
    assert len((await platform.get("/quality/figures", measure="completeness", of="memory_gb"))["items"]) == 2
    (failure,) = (await platform.get("/quality/failures", measure="validity"))["items"]
    assert failure == {**FAILURE, "asset_type": None, "asset_uid": None, "name": None}
    assert (await platform.get("/quality/failures", of="cpu_cores"))["items"] == []


async def test_a_figure_of_completeness_links_to_the_assets_that_lack_the_field(platform: Platform) -> None:
    flow_id = await measured(platform)
    figures = (await platform.get("/quality/figures"))["items"]
    lacking = f"/api/v1/assets?flow_id={flow_id}&missing=memory_gb"
    assert [figure["lacking"] for figure in figures] == [lacking, None, None]
    shown = (await platform.client.get(figures[0]["lacking"])).json()["items"]
    assert [asset["name"] for asset in shown] == ["web"]


async def test_a_new_inventory_of_the_flow_is_measured_anew(platform: Platform) -> None:
    flow_id = await measured(platform)
    await found(platform, flow_id)
    await asked(platform)


async def test_a_measurement_that_failed_says_why(platform: Platform) -> None:
    flow_id = await found(platform)
    question = await asked(platform)
    problem = Problem(code="origin_unknown", detail="Import the files again.")
    failed = QualityFailed(tenant=DEFAULT_TENANT, flow_id=flow_id, causation_id=UUID(question["id"]), problem=problem)
    await platform.hear(failed)
    quality = await platform.get("/quality")
    assert (quality["status"], quality["problem"]["code"]) == ("failed", "origin_unknown")


async def test_there_is_no_quality_without_an_inventory(platform: Platform) -> None:
    response = await platform.client.get("/api/v1/quality", headers=platform.of(await platform.new_tenant()))
    assert (response.status_code, response.json()["code"]) == (404, "inventory_not_found")
