"""What agents remember of what people taught and decided: it is kept, recalled, listed, and forgotten."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from contracts.discovery import Value
from contracts.envelope import Event


class Memory(Value):
    """One thing that somebody taught or decided."""

    memory_id: UUID
    kind: str = Field(description="An open set: lesson, and of decisions field_mapping, readiness, wave_plan")
    agents: list[str] = Field(description="Who may recall it")
    text: str = Field(max_length=1000, description="What was taught or decided, in a sentence or two")
    by: str = Field(description="Who said it")
    at: datetime
    source_event: UUID = Field(description="The event that told of it")
    source_type: str = Field(description="That event's type, such as field_mapping.learned")
    flow_id: UUID | None = None


class AgentMemoryStored(Event, type="agent_memory.stored"):
    """Agents remember something from now on."""

    revision: int = Field(
        description="Grows with each change of the engagement's memory; of one memory the newest counts"
    )
    memories: list[Memory]


class AgentMemoryDropped(Event, type="agent_memory.dropped"):
    """Agents do not remember something any more."""

    revision: int = Field(description="As in `agent_memory.stored`")
    memory_ids: list[UUID]
    reason: str = Field(description="An open set: undone, asked, flow_deleted, crowded_out")


class AgentMemoryForgettingRequested(Event, type="agent_memory_forgetting.requested"):
    """Forget these memories, or all of the engagement."""

    memory_ids: list[UUID] | None = Field(default=None, description="Absent: all")
    requested_by: str
    subject: str = Field(description="Subject, such as user:… or key:…")


class AgentMemoryEmbeddingRequested(Event, type="agent_memory_embedding.requested"):
    """Give memories a vector that have none of the embedding model that counts now."""


class AgentMemoryExported(Event, type="agent_memory.exported"):
    """Somebody took what agents remember away."""

    memories: int = Field(description="How many")
    exported_by: str
    subject: str = Field(description="Subject, such as user:… or key:…")
