"""One example a REST model about single assets and data quality, for the OpenAPI document; see `examples`."""

from uuid import UUID

from pydantic import BaseModel

from contracts import rest_assets, rest_quality
from contracts.assets import FieldOrigin, OriginCell
from contracts.discovery import PhaseReadiness, ReadinessFailure

FLOW = UUID("0197a6a0-0000-7000-8000-000000000030")
WEB01, OTHER_WEB01 = UUID("7c1f2a3b-4d5e-5f60-8172-93a4b5c6d7e8"), UUID("8d2a3b4c-5e6f-5071-9283-a4b5c6d7e8f9")

_ORIGIN = FieldOrigin(
    field="memory_gb",
    value="16",
    reason="the only row that has it",
    conflict=False,
    cells=[
        OriginCell(
            file_name="cmdb.csv",
            row=7,
            column="RAM MB",
            raw="16384",
            value="16",
            rule="bare numbers of this column are MB, converted to 16 GB",
            chosen=True,
        )
    ],
)
_READINESS = PhaseReadiness(
    phase="planning",
    ready=False,
    failures=[
        ReadinessFailure(
            figure="completeness of Storage",
            value=0.42,
            needed=0.7,
            advice="How long a move takes depends on its data. Map a column to Storage, or import a file that has it.",
        )
    ],
)

_NEED = rest_quality.NeedView(
    figure="memory_gb", label="completeness of Memory", share=0.95, by_default=0.8, reason="Waves are sized by it."
)
_NEEDS = rest_quality.PhaseNeedsView(phase="planning", needs=[_NEED])

ASSET_EXAMPLES: tuple[BaseModel, ...] = (
    _ORIGIN,
    _ORIGIN.cells[0],
    rest_assets.AssetOriginView(asset_uid=WEB01, flow_id=FLOW, status="told", fields=[_ORIGIN]),
    _READINESS.failures[0],
    _READINESS,
    _NEED,
    _NEEDS,
    rest_quality.NeedsView(asks=True, phases=[_NEEDS]),
    rest_quality.QualityView(flow_id=FLOW, status="measured", readiness=[_READINESS]),
    rest_quality.QualityFigureView(
        flow_id=FLOW, measure="completeness", of="memory_gb", asset_type="vm", source=None, good=1_190, total=1_200
    ),
    rest_quality.QualityFailureView(
        measure="validity",
        of="memory_gb",
        asset_type=None,
        source_rows="cmdb.csv:88",
        asset_uid=None,
        name=None,
        value="lots",
        reason="not a number",
    ),
    rest_assets.AssetSplitBody(source_rows=["cmdb.csv:7"]),
    rest_assets.DuplicateDecisionBody(same=True),
    rest_assets.DuplicateView(
        asset_uid=WEB01,
        other_uid=OTHER_WEB01,
        name="web01",
        other_name="shop-web",
        probability=0.84,
        evidence="different names: web01, shop-web; same ip_address 10.20.0.7; same memory_gb 16.0",
        same=None,
        decided_by=None,
    ),
    rest_assets.AssetChangeView(
        asset_uid=WEB01, name="web01", change="changed", field="memory_gb", before="16.0", after="32.0"
    ),
)
