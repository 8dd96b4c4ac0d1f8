"""The tools of ours that agents can be given, by name."""

from collections.abc import Mapping

from services.agent_runner.tools import assets, decisions, mappings
from services.agent_runner.tools.definition import Tool

TOOLS: Mapping[str, Tool] = {tool.name: tool for tool in (*assets.TOOLS, *decisions.TOOLS, *mappings.TOOLS)}
