"""The learning specialist: what to teach, for which files, from what people decided."""

from services.agent_runner.agents.definition import Agent
from services.agent_runner.agents.learning_specialist.rules import (
    Decisions,
    Lessons,
    decisions_about,
    generalise,
    impossible,
)
from services.agent_runner.agents.prompts import read_prompts

AGENT = Agent(
    agent_id="learning_specialist",
    title="Learning specialist",
    capabilities=("learning",),
    input=Decisions,
    output=Lessons,
    prompts=read_prompts("services.agent_runner.agents.learning_specialist", "learning_specialist"),
    rules=generalise,
    decides=("field", "for_all_files"),
    refuses=impossible,
    evidence=decisions_about,
    tools=("query_field_mappings", "analyse_field_mappings", "propose_field_mapping"),
)
