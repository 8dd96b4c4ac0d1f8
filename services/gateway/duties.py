"""Separation of duties: who edited a mapping or a plan may be barred from approving it.

What somebody taught or changed is open until a mapping of the engagement was approved by another one; what was edited
at a gate is open as long as its task is. All is compared by subject: names are no identity.
"""

from datetime import UTC, datetime

from sqlalchemy import func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.access import ROLE_SCOPES
from contracts.configuration import SEPARATION_OF_DUTIES
from contracts.envelope import uuid7
from services.chassis.configuration import configured
from services.chassis.errors import Forbidden
from services.gateway.duty_tables import Edit
from services.gateway.handlers import service
from services.gateway.principal import Principal
from services.gateway.tables import Approval

MAPPING = "field_mapping"
# What was said and has no effect yet.
PROPOSED = "proposed"
_APPROVERS = sorted(role for role, scopes in ROLE_SCOPES.items() if "approvals:decide" in scopes)


async def note_edit(session: AsyncSession, caller: Principal, kind: str, what: str, about: str | None = None) -> None:
    """Note that a caller edits what tasks of a kind are about; `about` is the task or the learning."""
    row = {"edit_id": uuid7(), "kind": kind, "what": what, "about": about, "edited_at": datetime.now(UTC)}
    await session.execute(insert(Edit).values(row | {"subject": caller.subject, "name": caller.name}))


async def proposal_counts(session: AsyncSession, about: str) -> None:
    """What was proposed has an effect from now on, so who proposed it edited mappings."""
    proposed = update(Edit).where(Edit.kind == PROPOSED, Edit.about == about)
    await session.execute(proposed.values(kind=MAPPING, about=None, edited_at=datetime.now(UTC)))


async def separated(session: AsyncSession, caller: Principal) -> bool:
    """Whether the caller's tenant wants the duties separated."""
    return await configured(session, service.metadata, caller.tenant, SEPARATION_OF_DUTIES)


async def check_duties(session: AsyncSession, caller: Principal, task: Approval) -> None:
    """Raise `Forbidden`, which says who else may, if the caller edited what it is about to approve."""
    approved = select(func.max(Approval.decided_at)).where(
        Approval.kind == task.kind,
        Approval.status == "approved",
        Approval.decided_by_subject.is_distinct_from(caller.subject),
    )
    reviewed = approved.scalar_subquery()
    open_edit = Edit.about.is_(None) & (reviewed.is_(None) | (Edit.edited_at > reviewed))
    own = select(Edit).where(
        Edit.subject == caller.subject, Edit.kind == task.kind, or_(Edit.about == str(task.task_id), open_edit)
    )
    edit = await session.scalar(own.order_by(Edit.edited_at.desc()).limit(1))
    if edit is not None:
        raise Forbidden(
            "separation_of_duties",
            f"You edited what this is about ({edit.what}, {edit.edited_at:%Y-%m-%d %H:%M} UTC), so you may not approve "
            f"it. Somebody else may who has one of the roles {', '.join(_APPROVERS)}.",
        )
