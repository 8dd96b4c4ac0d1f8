"""Who may do what: scopes, roles, and the one table between them."""

from collections.abc import Mapping
from typing import Literal, get_args

Scope = Literal[
    "engagements:read",
    "engagements:write",
    "imports:read",
    "imports:write",
    "flows:read",
    "flows:write",
    "approvals:decide",
    "inventory:read",
    "inventory:write",
    "mappings:read",
    "mappings:write",
    "reports:export",
    "configuration:read",
    "configuration:write",
    "operations:read",
    "operations:write",
    "audit:read",
    "users:read",
    "users:write",
    "keys:read",
    "keys:write",
    "webhooks:read",
    "webhooks:write",
    "metrics:read",
    "platform:write",
]

Role = Literal[
    "platform_admin",
    "client_admin",
    "engagement_lead",
    "analyst",
    "approver",
    "auditor",
    "viewer",
    "service_account",
]

SCOPES: frozenset[Scope] = frozenset(get_args(Scope))

_SEES: frozenset[Scope] = frozenset(
    {"engagements:read", "imports:read", "flows:read", "inventory:read", "mappings:read", "configuration:read"}
)
_WORKS: frozenset[Scope] = _SEES | {
    *("imports:write", "flows:write", "inventory:write", "mappings:write", "reports:export"),
}
_LEADS: frozenset[Scope] = _WORKS | {
    *("approvals:decide", "configuration:write", "operations:read", "operations:write"),
    *("users:read", "users:write", "keys:read", "keys:write", "webhooks:read", "webhooks:write"),
}

# What a role may do where it was given: in one engagement, in all of a client account, or in the whole platform.
ROLE_SCOPES: Mapping[Role, frozenset[Scope]] = {
    "platform_admin": SCOPES,
    "client_admin": _LEADS | {"engagements:write", "audit:read"},
    "engagement_lead": _LEADS,
    "analyst": _WORKS,
    "approver": _SEES | {"approvals:decide", "reports:export"},
    "auditor": _SEES | {"reports:export", "operations:read", "audit:read", "users:read", "keys:read"},
    "viewer": _SEES,
    # What it may do stands in each of its keys, and these are the most that such a key can have.
    "service_account": _WORKS | {"operations:read", "audit:read", "metrics:read"},
}
