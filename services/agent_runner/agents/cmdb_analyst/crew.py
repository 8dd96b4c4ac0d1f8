"""The CMDB analyst: what the doubtful columns of an export mean."""

from services.agent_runner.agents.cmdb_analyst.rules import (
    ColumnMeanings,
    Columns,
    choices,
    impossible,
    name_columns,
)
from services.agent_runner.agents.definition import Agent, item_evidence
from services.agent_runner.agents.prompts import read_prompts

# A person is asked about what field mapping is less sure of, so a model is, too.
SURE = 0.9

AGENT = Agent(
    agent_id="cmdb_analyst",
    title="CMDB analyst",
    capabilities=("mapping_advice",),
    input=Columns,
    output=ColumnMeanings,
    prompts=read_prompts("services.agent_runner.agents.cmdb_analyst", "cmdb_analyst"),
    rules=name_columns,
    decides=("field", "unit"),
    sure=SURE,
    refuses=impossible,
    evidence=item_evidence,
    context=choices,
    tools=("query_field_mappings", "analyse_field_mappings", "propose_field_mapping"),
)
