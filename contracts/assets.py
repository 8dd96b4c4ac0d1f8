"""What people ask of single assets: where a value comes from, and which of two are one machine."""

from uuid import UUID

from pydantic import Field

from contracts.discovery import Value
from contracts.envelope import BlobRef, Event, Problem


class OriginCell(Value):
    """A cell of an imported file that says something about a field of an asset."""

    file_name: str
    sheet: str | None = None
    row: int
    column: str
    raw: str | None = Field(description="As the file has it")
    value: str | None = Field(description="What was read of it, in the field's unit; null where it could not be")
    rule: str = Field(description="How it was read, or why it could not be")
    chosen: bool = Field(description="Whether the asset has this cell's value")


class FieldOrigin(Value):
    """Where the value of one field comes from."""

    field: str
    value: str | None
    reason: str = Field(description="Why this value and none of the others")
    conflict: bool = Field(description="Whether the cells say different things")
    cells: list[OriginCell]


class AssetOriginRequested(Event, type="asset_origin.requested"):
    """Tell where the values of an asset come from."""

    asset_uid: UUID
    source_rows: str = Field(description="As the claim check of the flow's assets has them")


class AssetOriginCompleted(Event, type="asset_origin.completed"):
    """Where each value of an asset comes from, computed anew from the rows that were kept."""

    asset_uid: UUID
    fields: list[FieldOrigin] = Field(description="Empty where they are `sealed`")
    rules_changed: bool = Field(description="Whether the inventory was made by other rules than these")
    sealed: str | None = Field(default=None, description="The fields as JSON, sealed for this asset; base64")


class AssetOriginFailed(Event, type="asset_origin.failed"):
    """The origin cannot be told any more."""

    problem: Problem


class AssetSplitRequested(Event, type="asset_split.requested"):
    """A person says that some source rows of an asset are another machine."""

    asset_uid: UUID
    source_rows: str = Field(description="As the claim check of the flow's assets has them")
    apart: list[str] = Field(min_length=1, description="Those that are the other machine")
    decided_by: str


class AssetSplitCompleted(Event, type="asset_split.completed"):
    """One asset became two, and stays so in later imports."""

    asset_uid: UUID
    other_uid: UUID
    assets: BlobRef = Field(description="Both, in the layout of the claim check of assets")


class AssetSplitFailed(Event, type="asset_split.failed"):
    """The asset stays as it is."""

    problem: Problem


class DuplicateDecided(Event, type="duplicate.decided"):
    """A person says whether two assets are one machine; it holds from the engagement's next inventory on."""

    asset_uid: UUID
    other_uid: UUID
    same: bool
    decided_by: str
