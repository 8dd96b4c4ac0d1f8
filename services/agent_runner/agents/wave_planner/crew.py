"""The wave planner: which applications would better move in another wave."""

from services.agent_runner.agents.definition import Agent
from services.agent_runner.agents.prompts import read_prompts
from services.agent_runner.agents.wave_planner.rules import (
    Placements,
    Plan,
    impossible,
    neighbours_of,
    place,
    waves_there_are,
)

AGENT = Agent(
    agent_id="wave_planner",
    title="Wave planner",
    capabilities=("wave_planning",),
    input=Plan,
    output=Placements,
    prompts=read_prompts("services.agent_runner.agents.wave_planner", "wave_planner"),
    rules=place,
    decides=("wave",),
    refuses=impossible,
    evidence=neighbours_of,
    context=waves_there_are,
    sure=0.6,
    tools=("look_up_assets", "look_up_dependencies", "past_decisions"),
)
