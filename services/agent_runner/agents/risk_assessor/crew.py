"""The risk assessor: what could go wrong when an application moves, and what to do about it."""

from services.agent_runner.agents.definition import Agent, item_evidence
from services.agent_runner.agents.prompts import read_prompts
from services.agent_runner.agents.risk_assessor.rules import Moves, Risks, impossible, judge, scale

AGENT = Agent(
    agent_id="risk_assessor",
    title="Risk assessor",
    capabilities=("risk_assessment",),
    input=Moves,
    output=Risks,
    prompts=read_prompts("services.agent_runner.agents.risk_assessor", "risk_assessor"),
    rules=judge,
    decides=("level",),
    refuses=impossible,
    evidence=item_evidence,
    context=scale,
    sure=0.6,
    tools=("look_up_assets", "look_up_dependencies", "past_decisions"),
)
