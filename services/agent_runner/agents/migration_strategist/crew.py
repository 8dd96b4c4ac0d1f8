"""The migration strategist: which of the 6 Rs an application should take."""

from services.agent_runner.agents.definition import Agent, item_evidence
from services.agent_runner.agents.migration_strategist.rules import Portfolio, Treatments, choices, impossible, treat
from services.agent_runner.agents.prompts import read_prompts

AGENT = Agent(
    agent_id="migration_strategist",
    title="Migration strategist",
    capabilities=("six_r",),
    input=Portfolio,
    output=Treatments,
    prompts=read_prompts("services.agent_runner.agents.migration_strategist", "migration_strategist"),
    rules=treat,
    decides=("strategy",),
    refuses=impossible,
    evidence=item_evidence,
    context=choices,
    sure=0.6,
    tools=("look_up_assets", "look_up_dependencies", "past_decisions"),
)
