"""What the REST interface gives of assessments and plans."""

from uuid import UUID

from pydantic import Field

from contracts.assessment import RiskLevel, SixR
from contracts.rest import View


class TreatmentView(View):
    """The treatment of one application."""

    application_uid: UUID
    name: str
    strategy: SixR
    confidence: float
    rule: str
    reason: str
    risk: float
    complexity: float
    engine: str
    suggestion: SixR | None = Field(default=None, description="The treatment that an agent's model would rather give")
    suggestion_reason: str | None = Field(default=None, description="Why, by which model, and how sure it is")
    risk_level: RiskLevel | None = None
    risk_reason: str | None = Field(default=None, description="What drives the risk, and what helps")
    risk_suggestion: RiskLevel | None = Field(default=None, description="The level that an agent's model would give")
    risk_suggestion_reason: str | None = None


class WaveView(View):
    """A wave of the plan."""

    number: int
    name: str
    application_names: list[str]
    asset_count: int
    risk: float
    move_groups: int
    reason: str
    suggestions: list[str] = Field(default=[], description="What an agent's model would change of it, and why")
    risks: list[str] = Field(default=[], description="What drives the risks of its riskiest applications")
