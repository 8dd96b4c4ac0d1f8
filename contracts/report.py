"""The report of a migration plan: everything that the HTML shows, the workbook charts and the CLI prints."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from contracts.agent_work import AgentWork
from contracts.assessment import RiskLevel, SixR
from contracts.discovery import QualityReport, TableMapping, Value

Severity = Literal["high", "medium", "low"]


class Headline(Value):
    """The counts that come first."""

    assets: int
    applications: int
    dependencies: int
    waves: int
    applications_in_waves: int
    rows_read: int
    duplicates_merged: int
    rows_rejected: int
    past_end_of_life: int | None = Field(
        description="Assets past the end-of-life date in the data or the vendor's end of support; null: none known"
    )


class Total(Value):
    """A sum, and over how many assets the value was known."""

    total: float
    known_assets: int


class Capacity(Value):
    """What the assets have together, without hosts whose virtual machines are counted themselves."""

    assets: int
    hosts_left_out: int = Field(description="Assets that other assets name as their virtualization host")
    cpu_cores: Total
    memory_gb: Total
    storage_gb: Total


class Count(Value):
    """Assets that have one value in common."""

    label: str | None = Field(description="Null where the data has no value")
    assets: int
    past_end_of_life: int | None = Field(default=None, description="Null when none of them has a known date")


class RuleExample(Value):
    """One rule that decided a treatment, with the largest application it decided."""

    rule: str
    applications: int
    example: str
    reason: str


class Treatment(Value):
    """One of the 6 Rs over all applications."""

    strategy: SixR
    applications: int
    assets: int
    average_confidence: float = Field(ge=0, le=1)
    examples: list[RuleExample]


class WaveSummary(Value):
    """One wave as a manager sees it."""

    number: int
    name: str
    applications: int
    assets: int
    move_groups: int
    storage_gb: float
    risk: float = Field(ge=0, le=1)
    reason: str
    suggestions: list[str] = Field(default=[], description="What an agent's model would change of it, and why")
    risks: list[str] = Field(default=[], description="What drives the risks of its riskiest applications")
    strategies: dict[SixR, int] = Field(description="Applications by treatment")
    environments: dict[str, int] = Field(description="Applications by environment")
    examples: list[str] = Field(description="Its largest applications")


class ConnectedApplication(Value):
    """An application with many dependencies."""

    name: str
    neighbours: int = Field(description="Different applications at the other end")
    incoming: int = Field(description="Applications that call it")
    outgoing: int = Field(description="Applications that it calls")
    wave: int | None
    strategy: SixR | None


class DependencyOverview(Value):
    """How the dependencies lie in the plan."""

    pairs: int = Field(description="Pairs of applications, in one direction, whatever the number of ports")
    same_wave: int
    across_waves: int
    to_unmoved: int = Field(description="One end moves and the other is in no wave")
    kinds: dict[str, int]
    unconnected_applications: int
    most_connected: list[ConnectedApplication]


class ApplicationRow(Value):
    """One application of the plan."""

    name: str
    wave: int | None
    strategy: SixR | None
    confidence: float | None
    risk: float | None
    reason: str | None
    engine: str | None
    suggestion: SixR | None = Field(default=None, description="The treatment that an agent's model would rather give")
    suggestion_reason: str | None = None
    risk_level: RiskLevel | None = None
    risk_reason: str | None = Field(default=None, description="What drives the risk, and what helps")
    risk_suggestion: RiskLevel | None = Field(default=None, description="The level that an agent's model would give")
    risk_suggestion_reason: str | None = None
    environment: str | None
    criticality: str | None
    owner: str | None
    assets: int


class Finding(Value):
    """An open point that the data shows, and what to do about it."""

    code: str = Field(description="Stable snake_case name of the kind of finding, for programs")
    severity: Severity
    title: str
    detail: str
    action: str
    count: int = Field(description="Things it is about, whether or not `examples` can name them")
    examples: list[str]


class ReportFacts(Value):
    """All that is known of a plan and of the inventory it stands on, before it is put into sentences."""

    title: str
    generated_at: datetime
    files: list[str]
    headline: Headline
    capacity: Capacity
    environments: list[Count]
    operating_systems: list[Count]
    operating_system_families: list[Count]
    datacenters: list[Count]
    quality: QualityReport
    mappings: list[TableMapping]
    treatments: list[Treatment]
    unplanned: dict[str, int] = Field(description="Applications that no wave moves, by treatment")
    engines: dict[str, int] = Field(description="Applications by the engine that decided their treatment")
    agents: list[AgentWork] = Field(default=[], description="What agents did beside the rules; empty without a model")
    waves: list[WaveSummary]
    dependencies: DependencyOverview
    findings: list[Finding]
    applications: list[ApplicationRow] = Field(
        description="The first of them in the order of the plan; headline.applications is the total"
    )


class ExecutiveSummary(Value):
    """A report in sentences."""

    situation: list[str] = Field(description="What there is")
    meaning: list[str] = Field(description="What it means for the migration")
    next_steps: list[str] = Field(description="What to do next")


class Report(ReportFacts):
    """A migration plan, the inventory it stands on, and what it comes to."""

    summary: ExecutiveSummary
