"""What the REST interface gives about data quality."""

from typing import Literal
from urllib.parse import quote
from uuid import UUID

from pydantic import Field, computed_field

from contracts.discovery import PhaseReadiness
from contracts.envelope import Problem
from contracts.rest import View


class QualityView(View):
    """What a discovery's inventory is ready for; it is measured when somebody first asks."""

    flow_id: UUID
    status: Literal["asked", "measured", "failed"] = Field(description="Ask again while it is `asked`")
    readiness: list[PhaseReadiness] = Field(default=[])
    problem: Problem | None = None


class QualityFigureView(View):
    """One figure: `good` of `total`, of all assets, of one type, or of one source."""

    flow_id: UUID
    measure: str = Field(description="An open set: completeness, validity, uniqueness, consistency, timeliness")
    of: str = Field(description="The field, or the rule of consistency")
    asset_type: str | None
    source: str | None = Field(description="File and sheet, without what changes from export to export")
    good: int
    total: int

    @computed_field(description="GET here lists the assets that lack the field; null where there are none to list")  # type: ignore[prop-decorator]  # pydantic asks for it
    @property
    def lacking(self) -> str | None:
        """Path and query of the assets behind a figure of completeness; those of one source are not listed."""
        if self.measure != "completeness" or self.source is not None or self.good == self.total:
            return None
        of_type = "" if self.asset_type is None else f"&asset_type={quote(self.asset_type)}"
        return f"/api/v1/assets?flow_id={self.flow_id}&missing={self.of}{of_type}"


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


class NeedView(View):
    """A share that a phase needs in this engagement."""

    figure: str = Field(description="Id of a canonical field, or usable_rows or readable_cells")
    label: str
    share: float
    by_default: float | None = Field(description="Ours; null where only this engagement asks for it")
    reason: str = Field(description="What would be guessed with less")


class PhaseNeedsView(View):
    """What a phase needs of an inventory."""

    phase: str = Field(description="An open set: assessment, planning")
    needs: list[NeedView]


class NeedsView(View):
    """What the phases need that wait for data, in this engagement."""

    asks: bool = Field(description="Whether a person is asked where something lacks; else it is only shown")
    phases: list[PhaseNeedsView]
