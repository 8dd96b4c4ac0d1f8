"""What people of the engagement decided before: at the gates of flows, with what they changed and their words."""

from typing import Any

import orjson
from pydantic import Field
from sqlalchemy import select

from services.agent_runner.tables import DecidedTask
from services.agent_runner.tools.definition import Arguments, Run, Tool

MOST_ROWS = 20
LONGEST_TEXT = 500
_LOOKED_AT = 500


class PastDecisions(Arguments):
    """Which decisions."""

    kind: str | None = Field(
        default=None,
        max_length=60,
        description="What was decided on: field_mapping, wave_plan, readiness, …; null: any",
    )
    text: str | None = Field(default=None, max_length=200, description="A word in the comment or in what was changed")
    limit: int = Field(default=10, ge=1, le=MOST_ROWS)


async def past_decisions(run: Run, asked: PastDecisions) -> dict[str, Any]:
    """The decisions that fit, the newest first."""
    statement = select(DecidedTask).order_by(DecidedTask.decided_at.desc()).limit(_LOOKED_AT)
    if asked.kind:
        statement = statement.where(DecidedTask.kind == asked.kind)
    async with run.job.reading() as session:
        found = [_told(row) for row in await session.scalars(statement)]
    if asked.text:
        found = [each for each in found if asked.text.lower() in orjson.dumps(each).decode().lower()]
    return {"found": len(found), "rows": found[: asked.limit]}


def _told(row: DecidedTask) -> dict[str, Any]:
    changed = {"changed": orjson.dumps(row.edits).decode()[:LONGEST_TEXT]} if row.edits else {}
    comment = {"comment": row.comment[:LONGEST_TEXT]} if row.comment else {}
    about = {"kind": row.kind, "decision": row.decision, "at": row.decided_at.date().isoformat()}
    return {**about, **changed, **comment}


TOOLS = (
    Tool(
        name="past_decisions",
        description="What people of this engagement approved, rejected or changed before, with their comments.",
        arguments=PastDecisions,
        call=past_decisions,
        needs=DecidedTask,
    ),
)
