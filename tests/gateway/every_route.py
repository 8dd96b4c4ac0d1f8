"""Every route of the REST interface, by what it is about, with what fills its parameters and its body."""

import re
from typing import Any

from tests.gateway.test_learnings import FIELD

# Routes by method and path, with what fills their parameters and bodies.
OWN_THINGS = {
    ("GET", "/flows/{flow_id}"): "flow",
    ("GET", "/polling/flow-status/{flow_id}"): "flow",
    ("GET", "/flows/{flow_id}/mappings"): "flow",
    ("GET", "/flows/{flow_id}/timeline"): "flow",
    ("GET", "/flows/{flow_id}/requests/{request_id}"): "flow",
    ("POST", "/flows/{flow_id}/{action}"): "flow",
    ("POST", "/flows/{flow_id}/fork"): "flow",
    ("DELETE", "/flows/{flow_id}"): "flow",
    ("GET", "/assets/{asset_uid}/origin"): "asset",
    ("POST", "/assets/{asset_uid}/split"): "asset",
    ("POST", "/duplicates/{asset_uid}/{other_uid}/decide"): "asset",
    ("GET", "/flow-repairs/{repair_id}"): "repair",
    ("GET", "/approvals/{task_id}"): "task",
    ("POST", "/approvals/{task_id}/decision"): "task",
    ("GET", "/reports/{flow_id}/{format}"): "flow",
    ("GET", "/dead-letters/{dead_letter_id}"): "letter",
    ("POST", "/dead-letters/{dead_letter_id}/replay"): "letter",
    ("POST", "/dead-letters/{dead_letter_id}/drop"): "letter",
    ("GET", "/audit/verifications/{verification_id}"): "verification",
    ("GET", "/schedules/{schedule_id}"): "schedule",
    ("PUT", "/schedules/{schedule_id}"): "schedule",
    ("DELETE", "/schedules/{schedule_id}"): "schedule",
    ("PUT", "/fields/{field_id}"): "field",
    ("DELETE", "/fields/{field_id}"): "field",
    ("GET", "/learnings/{learning_id}"): "learning",
    ("POST", "/learnings/{learning_id}/decision"): "learning",
    ("GET", "/templates/{source_id}"): "source",
    ("PUT", "/templates/{source_id}"): "source",
    ("GET", "/mappings/{mapping_id}"): "mapping",
    # Last: a source is known by its mappings.
    ("DELETE", "/mappings/{mapping_id}"): "mapping",
}
LISTS = (
    *("/imports", "/flows", "/approvals", "/assets", "/applications", "/dependencies", "/treatments", "/waves"),
    *("/rejected-rows", "/cell-problems", "/dead-letters", "/schedules"),
    *("/asset-changes", "/duplicates", "/quality/figures", "/quality/failures"),
    *("/learnings", "/lessons", "/mappings", "/templates"),
)
# What tells of all that a tenant has, and tells something, too, where a tenant has nothing.
WHOLES = ("/fields", "/lessons/analysis", "/learnings/document")
OTHERS = {
    ("POST", "/engagements"),
    ("GET", "/engagements/current"),
    ("POST", "/imports"),
    ("POST", "/flows"),
    ("GET", "/flows/search"),
    ("POST", "/flow-repairs"),
    ("POST", "/schedules"),
    ("GET", "/limits"),
    ("PUT", "/limits"),
    ("GET", "/performance"),
    ("GET", "/quality"),
    ("POST", "/audit/verifications"),
    ("POST", "/fields"),
    ("POST", "/learnings"),
}
SCHEDULE = {
    "name": "nightly",
    "cron": "30 2 * * *",
    "time_zone": "Europe/Berlin",
    "start": {"flow_type": "modernization", "repository_url": "https://example.com/shop.git"},
}
EVERY_ROUTE = sorted([*OWN_THINGS, *(("GET", path) for path in (*LISTS, *WHOLES)), *OTHERS])
# A tenant is what this one makes, so it works in none.
TENANTLESS = {("POST", "/engagements")}


def filled(path: str, thing: object) -> str:
    """A route's path with this id in it."""
    path = path.replace("{format}", "html").replace("{action}", "pause")
    return "/api/v1" + re.sub(r"\{\w+\}", str(thing), path)


def arguments(method: str, path: str, import_id: object) -> dict[str, Any]:
    """A valid query and body of a route."""
    bodies: dict[str, dict[str, Any]] = {
        "/engagements": {"json": {"client_name": "x", "engagement_name": "y"}},
        "/imports": {"params": {"file_name": "x.csv"}, "content": b"a\n"},
        "/flows": {"json": {"import_ids": [str(import_id)]}},
        "/approvals/{task_id}/decision": {"json": {"decision": "approve"}},
        "/flows/{flow_id}/fork": {"json": {"seq": 1}},
        "/flow-repairs": {"json": {}},
        "/assets/{asset_uid}/split": {"json": {"source_rows": ["a.csv:2"]}},
        "/duplicates/{asset_uid}/{other_uid}/decide": {"json": {"same": True}},
        "/schedules": {"json": SCHEDULE},
        "/schedules/{schedule_id}": {"json": SCHEDULE},
        "/limits": {"json": {"weight": 2}},
        "/fields": {"json": FIELD},
        "/fields/{field_id}": {"json": FIELD},
        "/learnings": {"json": {"text": "RAM_GB is Memory"}},
        "/learnings/{learning_id}/decision": {"json": {"decision": "apply"}},
        "/templates/{source_id}": {"json": {"name": "CMDB"}},
    }
    if path == "/flows/search":
        return {"params": {"q": "web01"}}
    return bodies.get(path, {}) if method in ("POST", "PUT") else {}
