"""What the REST interface gives about data quality."""

from typing import Literal
from uuid import UUID

from pydantic import Field

from contracts.envelope import Problem
from contracts.quality import PhaseReadiness
from contracts.rest import View


class QualityView(View):
    """What a discovery's inventory is ready for; it is measured when somebody first asks."""

    flow_id: UUID
    status: Literal["asked", "measured", "failed"] = Field(description="Ask again while it is `asked`")
    readiness: list[PhaseReadiness] = Field(default=[])
    problem: Problem | None = None


class QualityFigureView(View):
    """One figure: `good` of `total`, of all assets, of one type, or of one source."""

    measure: str = Field(description="An open set: completeness, validity, uniqueness, consistency, timeliness")
    of: str = Field(description="The field, or the rule of consistency")
    asset_type: str | None
    source: str | None = Field(description="File and sheet, without what changes from export to export")
    good: int
    total: int


class QualityFailureView(View):
    """An asset or a cell behind a figure."""

    measure: str
    of: str
    asset_type: str | None
    source_rows: str
    asset_uid: UUID | None = Field(description="Null for a cell: validity is about cells before they are merged")
    name: str | None
    value: str | None
    reason: str
