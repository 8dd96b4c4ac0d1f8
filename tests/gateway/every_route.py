"""Every route of the REST interface, by what it is about, with what fills its parameters and its body."""

import re
from typing import Any

from tests.gateway.platform import NOBODY
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
    ("GET", "/agent-tasks/{task_id}"): "agent_task",
    ("GET", "/memories/{memory_id}"): "memory",
    ("DELETE", "/memories/{memory_id}"): "memory",
    ("POST", "/agent-tasks/{task_id}/cancel"): "agent_task",
    ("POST", "/agent-tasks/{task_id}/retry"): "agent_task",
    ("GET", "/agent-schedules/{schedule_id}"): "agent_schedule",
    ("POST", "/agent-schedules/{schedule_id}/pause"): "agent_schedule",
    ("POST", "/agent-schedules/{schedule_id}/resume"): "agent_schedule",
    ("DELETE", "/agent-schedules/{schedule_id}"): "agent_schedule",
    ("GET", "/polling/agent-monitor/{flow_id}"): "flow",
    ("GET", "/approvals/{task_id}"): "task",
    ("POST", "/approvals/{task_id}/decision"): "task",
    ("GET", "/reports/{flow_id}/{format}"): "flow",
    ("GET", "/dead-letters/{dead_letter_id}"): "letter",
    ("POST", "/dead-letters/{dead_letter_id}/replay"): "letter",
    ("POST", "/dead-letters/{dead_letter_id}/drop"): "letter",
    ("GET", "/audit/verifications/{verification_id}"): "verification",
    ("GET", "/audit/entries/{request_id}"): "entries",
    ("GET", "/audit/exports/{request_id}"): "export",
    ("GET", "/audit/exports/{request_id}/file"): "export",
    ("GET", "/audit/requests/{request_id}"): "export",
    ("GET", "/schedules/{schedule_id}"): "schedule",
    ("PUT", "/schedules/{schedule_id}"): "schedule",
    ("DELETE", "/schedules/{schedule_id}"): "schedule",
    ("PUT", "/fields/{field_id}"): "field",
    ("DELETE", "/fields/{field_id}"): "field",
    ("GET", "/learnings/{learning_id}"): "learning",
    ("POST", "/learnings/{learning_id}/decision"): "learning",
    ("DELETE", "/invitations/{invitation_id}"): "invitation",
    ("GET", "/templates/{source_id}"): "source",
    ("PUT", "/templates/{source_id}"): "source",
    ("GET", "/mappings/{mapping_id}"): "mapping",
    ("GET", "/keys/{key_id}"): "key",
    ("POST", "/keys/{key_id}/rotate"): "key",
    ("DELETE", "/keys/{key_id}"): "key",
    ("GET", "/webhooks/{webhook_id}"): "webhook",
    ("PUT", "/webhooks/{webhook_id}"): "webhook",
    ("POST", "/webhooks/{webhook_id}/secret"): "webhook",
    ("POST", "/webhooks/{webhook_id}/ping"): "webhook",
    ("GET", "/webhooks/{webhook_id}/deliveries"): "webhook",
    ("GET", "/webhooks/{webhook_id}/deliveries/{delivery_id}"): "delivery",
    ("POST", "/webhooks/{webhook_id}/deliveries/{delivery_id}/redeliver"): "delivery",
    ("DELETE", "/webhooks/{webhook_id}"): "webhook",
    # Last: a source is known by its mappings.
    ("DELETE", "/mappings/{mapping_id}"): "mapping",
}
LISTS = (
    *("/imports", "/flows", "/approvals", "/assets", "/applications", "/dependencies", "/treatments", "/waves"),
    *("/rejected-rows", "/cell-problems", "/dead-letters", "/schedules"),
    *("/asset-changes", "/duplicates", "/quality/figures", "/quality/failures"),
    *("/learnings", "/lessons", "/mappings", "/templates", "/invitations", "/audit/checkpoints", "/webhooks"),
    *("/agent-tasks", "/agent-schedules", "/memories"),
)
# What tells of all that a tenant has, and tells something, too, where a tenant has nothing.
WHOLES = (
    "/audit/keys",
    "/configuration",
    "/fields",
    "/lessons/analysis",
    "/learnings/document",
    "/inventory-sealing",
    "/memories/document",
)
OTHERS = {
    ("POST", "/engagements"),
    ("GET", "/engagements/current"),
    ("POST", "/imports"),
    ("POST", "/imports/url"),
    ("POST", "/webhooks"),
    ("POST", "/flows"),
    ("GET", "/flows/search"),
    ("POST", "/flow-repairs"),
    ("GET", "/agents"),
    ("GET", "/agents/{agent_id}"),
    ("POST", "/agents/{agent_id}/tasks"),
    ("POST", "/agent-tasks"),
    ("POST", "/agent-schedules"),
    ("GET", "/agent-events"),
    ("DELETE", "/memories"),
    ("GET", "/agent-performance"),
    ("GET", "/costs"),
    ("POST", "/schedules"),
    ("GET", "/limits"),
    ("PUT", "/limits"),
    ("GET", "/configuration/{key}"),
    ("PUT", "/configuration/{key}"),
    ("DELETE", "/configuration/{key}"),
    ("GET", "/configuration/{key}/history"),
    ("GET", "/performance"),
    ("GET", "/quality"),
    ("GET", "/readiness"),
    ("POST", "/audit/verifications"),
    ("POST", "/audit/entries"),
    ("POST", "/audit/exports"),
    ("POST", "/audit/checkpoints"),
    ("POST", "/audit/keys"),
    ("POST", "/fields"),
    ("POST", "/learnings"),
    ("POST", "/feedback/process"),
    ("GET", "/keys"),
    ("POST", "/keys"),
    ("POST", "/invitations"),
    # In the platform's tenant these are about all accounts, so their tests are with the people.
    ("GET", "/users"),
    ("GET", "/users/{user_id}"),
    ("POST", "/users/{user_id}/deactivate"),
    ("POST", "/users/{user_id}/reactivate"),
    ("PUT", "/users/{user_id}/roles/{role}"),
    ("DELETE", "/users/{user_id}/roles/{role}"),
}
# Open to everybody: what they take lets somebody in, or it does not.
OPEN = {
    ("POST", "/auth/login"),
    ("POST", "/auth/refresh"),
    ("POST", "/auth/logout"),
    ("POST", "/auth/oidc/logins"),
    ("POST", "/auth/oidc/callback"),
    ("POST", "/auth/password-reset"),
    ("POST", "/invitations/accept"),
}
# What is a caller's own in every tenant.
OWN = {
    ("GET", "/me"),
    ("POST", "/me/password"),
    ("POST", "/me/invitations"),
    ("GET", "/me/sessions"),
    ("DELETE", "/me/sessions/{session_id}"),
    ("POST", "/auth/logout-everywhere"),
}
OPERATORS = {
    ("GET", "/encryption"),
    ("POST", "/encryption/rotations"),
    ("POST", "/signing-keys/revocation"),
    ("POST", "/users/{user_id}/password-reset"),
    ("GET", "/login-providers"),
    ("POST", "/login-providers"),
    ("PUT", "/login-providers/{provider_id}"),
    ("DELETE", "/login-providers/{provider_id}"),
}
SCHEDULE = {
    "name": "nightly",
    "cron": "30 2 * * *",
    "time_zone": "Europe/Berlin",
    "start": {"flow_type": "modernization", "repository_url": "https://example.com/shop.git"},
}
AGENT_SCHEDULE = {"name": "nightly", "cron": "0 2 * * *", "capability": "longest_word", "inputs": {"words": ["a"]}}
PROVIDER = {"name": "Contoso", "issuer": "https://login.contoso.example", "client_id": "modernize"}
EVERY_ROUTE = sorted([*OWN_THINGS, *(("GET", path) for path in (*LISTS, *WHOLES)), *OTHERS, *OWN, *OPERATORS])
# A tenant is what the first one makes, so it works in none; the others are about people and the platform.
TENANTLESS = {("POST", "/engagements"), *OWN, *OPERATORS}
# Where nobody listens; the tests' operator allows it.
WEBHOOK = {"url": f"https://{NOBODY}/hooks", "event_types": ["discovery.completed"]}


def filled(path: str, thing: object) -> str:
    """A route's path with this id in it; of two ids the first comes with it, as `first/second`."""
    if "/{delivery_id}" in path and "/" in str(thing):
        webhook_id, thing = str(thing).split("/")
        path = path.replace("{webhook_id}", webhook_id)
    path = path.replace("{format}", "html").replace("{action}", "pause").replace("{key}", "flows_per_day")
    path = path.replace("{role}", "analyst")
    return "/api/v1" + re.sub(r"\{\w+\}", str(thing), path)


def arguments(method: str, path: str, import_id: object) -> dict[str, Any]:
    """A valid query and body of a route."""
    bodies: dict[str, dict[str, Any]] = {
        "/engagements": {"json": {"client_name": "x", "engagement_name": "y"}},
        "/imports": {"params": {"file_name": "x.csv"}, "content": b"a\n"},
        "/imports/url": {"json": {"url": "https://127.0.0.1/x.csv"}},
        "/flows": {"json": {"import_ids": [str(import_id)]}},
        "/approvals/{task_id}/decision": {"json": {"decision": "approve"}},
        "/flows/{flow_id}/fork": {"json": {"seq": 1}},
        "/flow-repairs": {"json": {}},
        "/agents/{agent_id}/tasks": {"json": {"inputs": {}}},
        "/agent-tasks": {"json": {"capability": "longest_word", "inputs": {}}},
        "/agent-schedules": {"json": AGENT_SCHEDULE},
        "/assets/{asset_uid}/split": {"json": {"source_rows": ["a.csv:2"]}},
        "/duplicates/{asset_uid}/{other_uid}/decide": {"json": {"same": True}},
        "/schedules": {"json": SCHEDULE},
        "/schedules/{schedule_id}": {"json": SCHEDULE},
        "/limits": {"json": {"weight": 2}},
        "/configuration/{key}": {"json": {"value": 5, "reason": "a test"}},
        "/audit/entries": {"json": {"types": ["approval.decided"]}},
        "/encryption/rotations": {"json": {"from_version": 1}},
        "/fields": {"json": FIELD},
        "/fields/{field_id}": {"json": FIELD},
        "/webhooks": {"json": WEBHOOK},
        "/webhooks/{webhook_id}": {"json": WEBHOOK},
        "/learnings": {"json": {"text": "RAM_GB is Memory"}},
        "/feedback/process": {"json": {"corrections": ["RAM_GB is Memory"]}},
        "/learnings/{learning_id}/decision": {"json": {"decision": "apply"}},
        "/keys": {"json": {"name": "CMDB"}},
        "/keys/{key_id}/rotate": {"json": {"overlap_hours": 1}},
        "/templates/{source_id}": {"json": {"name": "CMDB"}},
        "/invitations": {"json": {"email": "ada@contoso.example", "role": "analyst"}},
        "/me/password": {"json": {"current_password": "x", "new_password": "y"}},
        "/me/invitations": {"json": {"token": "x"}},
        "/login-providers": {"json": PROVIDER},
        "/login-providers/{provider_id}": {"json": PROVIDER},
    }
    if (method, path) == ("DELETE", "/configuration/{key}"):
        return {"params": {"reason": "a test"}}
    if path == "/agent-events":
        return {"params": {"seconds": 0}}
    if path == "/flows/search":
        return {"params": {"q": "web01"}}
    return bodies.get(path, {}) if method in ("POST", "PUT") else {}
