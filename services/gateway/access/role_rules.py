"""Which roles somebody may give or take, and where they count."""

from contracts.access import ROLE_SCOPES, Role, Scope
from contracts.envelope import PLATFORM, Tenant


def refusal(role: Role, tenant: Tenant, scopes: frozenset[Scope]) -> str | None:
    """Why somebody with these scopes in this tenant may not give or take a role there; None if it may."""
    if role == "service_account":
        return "The role service_account is for API keys. Give people one of the others."
    if role == "platform_admin" and tenant != PLATFORM:
        return "The role platform_admin counts in the whole platform: name the nil client account and engagement."
    lacking = ROLE_SCOPES[role] - scopes
    if lacking:
        return f"The role {role} has scopes that you lack here: {', '.join(sorted(lacking))}."
    return None
