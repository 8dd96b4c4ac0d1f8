"""One example a REST model about the memory of agents, for the OpenAPI document; see `examples`."""

from datetime import UTC, datetime
from uuid import UUID

from pydantic import BaseModel

from contracts.agent_memory import Memory
from contracts.rest_memory import ForgottenView, MemoryDocument, MemoryView

_MEMORY = Memory(
    memory_id=UUID("c5d4e3f2-a1b0-5c9d-8e7f-60718293a4b5"),
    kind="lesson",
    agents=["cmdb_analyst", "learning_specialist", "pattern_recognition"],
    text="The column “RAM_GB” means Memory (memory_gb).",
    by="ada",
    at=datetime(2026, 11, 20, 9, 30, tzinfo=UTC),
    source_event=UUID("0197a6a0-0000-7000-8000-0000000000a0"),
    source_type="field_mapping.learned",
)

MEMORY_EXAMPLES: tuple[BaseModel, ...] = (
    MemoryView(**_MEMORY.model_dump()),
    MemoryDocument(memories=[_MEMORY]),
    ForgottenView(forgotten=1),
)
