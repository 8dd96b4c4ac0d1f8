"""Smart discovery of flows: what people remember of one is enough."""

from typing import Annotated

from fastapi import APIRouter, Query
from sqlalchemy import select

from contracts.rest import FlowView
from contracts.rest_flows import FlowMatch, FlowMatches
from services.chassis.errors import ExpectedFailure
from services.gateway.flows.search import MOST_FLOWS, find
from services.gateway.routes.access import Reading
from services.gateway.tables import Flow

router = APIRouter(tags=["flows"])

SHORTEST_TEXT = 3
Text = Annotated[
    str,
    Query(
        max_length=200,
        description="Part of the name or IP address of an asset (of the newest 200 discoveries), of the name of a file "
        "or an application, of the id of an import or a flow, or of a correlation id",
        examples=["shop-web"],
    ),
]


@router.get("/flows/search")
async def search_flows(q: Text, session: Reading) -> FlowMatches:
    """Flows that the text says something about, newest first, each with the reasons why it was found."""
    text = q.strip()
    if len(text) < SHORTEST_TEXT:
        raise ExpectedFailure("search_too_short", f"Say at least {SHORTEST_TEXT} characters of what you look for.")
    found = await find(session, text)
    statement = select(Flow).where(Flow.flow_id.in_(found.reasons)).order_by(Flow.created_at.desc())
    rows = await session.scalars(statement.limit(MOST_FLOWS))
    items = [FlowMatch(flow=FlowView.model_validate(row), reasons=found.reasons[row.flow_id]) for row in rows]
    return FlowMatches(items=items, complete=found.complete and len(found.reasons) <= MOST_FLOWS)
