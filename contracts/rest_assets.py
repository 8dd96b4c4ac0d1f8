"""What the REST interface takes and gives about single assets."""

from typing import Literal
from uuid import UUID

from pydantic import Field

from contracts.assets import FieldOrigin
from contracts.envelope import Problem
from contracts.rest import View


class AssetOriginView(View):
    """Where the values of an asset come from; they are computed when somebody first asks."""

    asset_uid: UUID
    flow_id: UUID
    status: Literal["asked", "told", "failed"] = Field(description="Ask again while it is `asked`")
    fields: list[FieldOrigin] = Field(default=[])
    rules_changed: bool = Field(
        default=False, description="Whether the inventory was made by other rules, so that values may differ"
    )
    problem: Problem | None = None


class AssetSplitBody(View):
    """Rows of an asset that are another machine."""

    source_rows: list[str] = Field(
        min_length=1,
        max_length=1_000,
        description="As `source_rows` of the asset names them",
        examples=[["cmdb.csv:7"]],
    )


class DuplicateDecisionBody(View):
    """What a person says of two assets."""

    same: bool = Field(description="Whether they are one machine")


class DuplicateView(View):
    """Two assets that might be one machine."""

    asset_uid: UUID
    other_uid: UUID
    name: str
    other_name: str
    probability: float = Field(description="That they are one machine")
    evidence: str = Field(description="What agrees and what differs")
    same: bool | None = Field(description="What a person said; null until then")
    decided_by: str | None


class AssetChangeView(View):
    """Something that a discovery changed of what was known."""

    asset_uid: UUID
    name: str
    change: str = Field(description="An open set: appeared, returned, changed, vanished")
    field: str | None = Field(description="Which field changed")
    before: str | None
    after: str | None
