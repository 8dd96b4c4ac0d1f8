"""What the REST interface gives of the memory of agents."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from contracts.agent_memory import Memory
from contracts.rest import View


class MemoryView(View):
    """One thing that somebody taught or decided, as agents recall it."""

    memory_id: UUID
    kind: str = Field(description="An open set: lesson, and of decisions field_mapping, readiness, wave_plan")
    agents: list[str] = Field(description="Who may recall it")
    text: str
    by: str
    at: datetime
    source_event: UUID = Field(description="The event that told of it; the audit log has it")
    source_type: str
    flow_id: UUID | None = None


class MemoryDocument(View):
    """All that agents remember in an engagement."""

    format: Literal["ai-modernize/memory/1"] = "ai-modernize/memory/1"
    memories: list[Memory]


class ForgottenView(View):
    """What is forgotten now."""

    forgotten: int = Field(description="Memories that were listed before and are not any more")
