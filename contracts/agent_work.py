"""What agents did for a flow: by which engine, how much of it was doubtful, and what models cost."""

from decimal import Decimal

from pydantic import BaseModel, ConfigDict, Field

from contracts.envelope import Problem


class AgentWork(BaseModel):
    """What an agent did in one step of a flow, without what it said."""

    model_config = ConfigDict(frozen=True)

    step: str = Field(description="An open set: mapping_advice, six_r, risk_assessment, wave_planning")
    agent: str | None = Field(description="Null where no agent took it")
    engine: str = Field(description="An open set: rules, model")
    model: str | None = None
    asked: int = Field(default=0, description="Answers that the rules were unsure of, and a model was to look at")
    otherwise: int = Field(default=0, description="Of these, those that the model answered otherwise: suggestions")
    calls: int = Field(default=0, description="Calls of models, answers from the cache among them")
    calls_failed: int = Field(default=0, description="Of these, calls that gave no answer that counts")
    tokens_in: int = 0
    tokens_out: int = 0
    cost_usd: Decimal = Decimal(0)
    seconds: float = 0
    fallback: Problem | None = Field(default=None, description="Why no model answered, where one should have")
