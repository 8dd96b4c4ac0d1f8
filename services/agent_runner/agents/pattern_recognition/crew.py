"""The pattern recognition expert: how machines are named, and what the parts of their names say."""

from services.agent_runner.agents.definition import Agent
from services.agent_runner.agents.pattern_recognition.rules import (
    Names,
    NamingPatterns,
    impossible,
    names_like,
    recognise,
)
from services.agent_runner.agents.prompts import read_prompts

AGENT = Agent(
    agent_id="pattern_recognition",
    title="Pattern recognition expert",
    capabilities=("pattern_recognition",),
    input=Names,
    output=NamingPatterns,
    prompts=read_prompts("services.agent_runner.agents.pattern_recognition", "pattern_recognition"),
    rules=recognise,
    decides=("meaning",),
    refuses=impossible,
    evidence=names_like,
    simple=True,
)
