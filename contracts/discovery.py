"""Discovery: files in, a clean inventory and its dependencies out."""

from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from contracts.agent_work import AgentWork
from contracts.envelope import BlobRef, Event, Problem
from contracts.lifecycle import StartOptions

TableKind = Literal["inventory", "applications", "connections"]
MappingStatus = Literal["accepted", "review", "unmapped"]


class Value(BaseModel):
    """What every value object of the contracts is: immutable."""

    model_config = ConfigDict(frozen=True)


class ImportFile(Value):
    """An uploaded file that a discovery reads."""

    import_id: UUID
    file_name: str
    file: BlobRef


class ColumnProfile(Value):
    """What a column of an imported table looks like: enough to map it without its rows."""

    name: str = Field(description="As in the file; repeated names get a suffix such as ' (2)', empty ones 'column 7'")
    filled: int = Field(description="Rows that have a value")
    distinct: int = Field(description="Different values among those looked at")
    samples: list[str] = Field(description="Up to 20 different values, at most 80 characters each")


class TableProfile(Value):
    """One table that was found in a file: a CSV, a sheet of a workbook, a list in JSON, an entry of an archive."""

    table_id: UUID
    import_id: UUID
    file_name: str
    sheet: str | None = None
    kind: str = Field(description="An open set: inventory, applications, connections, …")
    header_row: int = Field(description="Row of the header in the file, from 1; 0 where names stand in no row")
    row_count: int
    columns: list[ColumnProfile]
    rows: BlobRef = Field(description="Parquet: every column a string as in the file, and `_row`, its row there")
    problems: list[Problem] = Field(default=[], description="What the reader had to treat specially, at most 100")


class ColumnMapping(Value):
    """A proposal, or a decision, of what one column means."""

    column: str
    field: str | None = Field(description="Id of the canonical field, or null when the column maps to nothing")
    confidence: float = Field(ge=0, le=1)
    status: MappingStatus = Field(
        description="`review` where a person decides on the field, or on that there is none; `unmapped` without a field"
    )
    unit: str | None = Field(default=None, description="Unit of bare numbers in the source: MB, GB, MHz, …")
    reason: str
    alternatives: list[str] = []


class Drift(Value):
    """One difference between a table's header and the one that its source had before."""

    change: str = Field(description="An open set: added, removed, renamed")
    column: str = Field(description="As it is called now; the old name of one that was removed")
    was: str | None = Field(default=None, description="The name before, of a column that was renamed")
    reason: str = Field(description="The evidence, in a sentence")


class RecognisedSource(Value):
    """The source that a table comes from, and how far its header is known."""

    source_id: UUID
    name: str
    known: bool = Field(description="Whether the source was imported before")
    drift: list[Drift] = []


class TableMapping(Value):
    """The mapping of one table's columns, in the file's order."""

    table_id: UUID
    file_name: str
    sheet: str | None = None
    kind: str = Field(description="An open set: inventory, applications, connections, …")
    columns: list[ColumnMapping]
    source: RecognisedSource | None = None


class FieldQuality(Value):
    """How good one canonical field is over all assets."""

    field: str
    filled: int
    invalid: int
    completeness: float = Field(ge=0, le=1)
    validity: float = Field(ge=0, le=1)


class QualityReport(Value):
    """Data quality of an inventory; ratios are 0 to 1."""

    rows_read: int
    assets: int
    duplicates_merged: int
    rows_rejected: int
    completeness: float = Field(ge=0, le=1, description="Over the fields of importance required and high")
    validity: float = Field(ge=0, le=1)
    uniqueness: float = Field(ge=0, le=1)
    fields: list[FieldQuality]


class ReadinessExample(Value):
    """An asset that lacks a field, or a row that could not be used."""

    name: str | None = Field(description="Of the asset; of a row what is wrong with it")
    source_rows: str


class ReadinessFailure(Value):
    """A figure that is too low for a phase."""

    figure: str
    value: float = Field(ge=0, le=1)
    needed: float = Field(ge=0, le=1)
    advice: str = Field(description="What it is for, and what to do")
    of: str = Field(default="", description="The field that assets lack, or usable_rows or readable_cells")
    lacking: int = Field(default=0, description="Assets, rows or cells that the figure misses")
    total: int = Field(default=0, description="Assets, rows or cells that it counts")
    examples: list[ReadinessExample] = Field(default=[], description="At most five of those assets or rows")


class PhaseReadiness(Value):
    """Whether an inventory is good enough for a phase."""

    phase: str = Field(description="An open set: assessment, planning")
    flow_id: UUID | None = Field(default=None, description="The discovery that found the inventory")
    ready: bool
    failures: list[ReadinessFailure]


class InventoryChanges(Value):
    """What an import changed of an engagement's assets; all zero when the same files were imported again."""

    appeared: int
    returned: int = Field(description="Had vanished before")
    changed: int = Field(description="Assets of which a field has another value")
    vanished: int = Field(description="No longer in the sources that knew them; they are kept and marked")
    unchanged: int
    unrelated_files: bool = Field(
        default=False, description="So few earlier assets were found again that nothing was said to have vanished"
    )


class ReportInputs(Value):
    """What the report tells beside the plan: how the inventory came to be."""

    quality: QualityReport
    mappings: list[TableMapping]
    files: list[str]
    agents: list[AgentWork] = Field(default=[], description="What agents did so far; empty where there is no model")


class DiscoveryRequested(Event, type="discovery.requested"):
    """Start a discovery of uploaded files. Systems outside name the imports; the gateway adds where the files lie."""

    import_ids: list[UUID] = Field(min_length=1, max_length=50)
    files: list[ImportFile] = Field(default=[])
    then: list[Literal["assessment", "planning"]] = Field(default=[], description="Flows to run afterwards, in order")
    options: StartOptions = StartOptions()


class DiscoveryStarted(Event, type="discovery.started", public=True):
    """A discovery flow began."""

    import_ids: list[UUID]


class DiscoveryCompleted(Event, type="discovery.completed", public=True):
    """A discovery flow ended well."""

    asset_count: int
    application_count: int
    dependency_count: int
    quality: QualityReport


class DiscoveryFailed(Event, type="discovery.failed", public=True):
    """A discovery flow ended with a problem that a person has to solve."""

    problem: Problem


class ImportUploaded(Event, type="import.uploaded"):
    """A file arrived and is stored."""

    import_id: UUID
    file_name: str
    file: BlobRef


class DataImportRequested(Event, type="data_import.requested"):
    """Read the files of a discovery into tables."""

    files: list[ImportFile]


class DataImportCompleted(Event, type="data_import.completed"):
    """The files were read: their tables, each with a profile of its columns."""

    tables: list[TableProfile]


class DataImportFailed(Event, type="data_import.failed"):
    """A file could not be read."""

    problem: Problem


class FieldMappingRequested(Event, type="field_mapping.requested"):
    """Propose what the columns of these tables mean."""

    tables: list[TableProfile]


class FieldMappingCompleted(Event, type="field_mapping.completed"):
    """A mapping for every column, with the doubtful ones marked for review."""

    mappings: list[TableMapping]
    review_count: int
    ask_agent: bool = Field(
        default=False, description="Whether the tenant has a model that an agent can ask about the doubtful columns"
    )


class FieldMappingFailed(Event, type="field_mapping.failed"):
    """No mapping could be proposed that an inventory can be made from."""

    problem: Problem


class InventoryRequested(Event, type="inventory.requested"):
    """Turn the tables into clean, merged assets with the mapping that was decided."""

    tables: list[TableProfile]
    mappings: list[TableMapping]


class InventoryCompleted(Event, type="inventory.completed"):
    """Clean assets are stored; the Parquet layouts are in `contracts.claim_checks`."""

    assets: BlobRef
    applications: BlobRef
    connections: BlobRef
    rejected_rows: BlobRef
    cell_problems: BlobRef
    asset_count: int
    application_count: int
    connection_count: int
    quality: QualityReport
    assets_by_environment: dict[str, int]
    assets_by_operating_system: dict[str, int]
    changes: InventoryChanges | None = Field(default=None, description="Null for an engagement's first assets")
    change_list: BlobRef | None = None
    duplicates: BlobRef | None = Field(default=None, description="Pairs of assets that might be one machine")
    duplicate_count: int = 0
    readiness: list[PhaseReadiness] = Field(
        default=[], description="Of each phase that needs data; empty where the engagement does not want to be asked"
    )


class InventoryFailed(Event, type="inventory.failed"):
    """No inventory could be made."""

    problem: Problem


class DependencyAnalysisRequested(Event, type="dependency_analysis.requested"):
    """Find what depends on what."""

    assets: BlobRef
    applications: BlobRef
    connections: BlobRef


class DependencyAnalysisCompleted(Event, type="dependency_analysis.completed"):
    """Applications with their assets, and the dependencies between them."""

    applications: BlobRef
    dependencies: BlobRef
    application_count: int
    dependency_count: int
    unmatched_ends: int = Field(
        default=0, description="Ends of connections and declared dependencies no asset answers to"
    )


class DependencyAnalysisFailed(Event, type="dependency_analysis.failed"):
    """The dependency analysis could not be done."""

    problem: Problem
