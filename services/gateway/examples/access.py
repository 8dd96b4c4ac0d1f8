"""Examples of what is about people and keys, for the OpenAPI document."""

from datetime import UTC, datetime

from pydantic import BaseModel

from contracts import rest_keys

AT = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
_KEY = rest_keys.ApiKeyView(
    key_id="4kSwqS0yJgDPWjZQ",
    name="CMDB export",
    role="service_account",
    scopes=["flows:read", "flows:write", "imports:write"],
    created_by_name="Ada Lovelace",
    created_at=AT,
    expires_at=None,
    last_used_at=None,
    revoked_at=None,
    revoked_by_name=None,
    replaced_by=None,
    pepper=1,
)

ACCESS_EXAMPLES: tuple[BaseModel, ...] = (
    rest_keys.ApiKeyBody(name="CMDB export", scopes=["flows:read", "flows:write", "imports:write"]),
    rest_keys.ApiKeyRotation(overlap_hours=24),
    _KEY,
    # Not the whole pattern, so that no scanner takes the example for a leaked key.
    rest_keys.ApiKeyMade(**_KEY.model_dump(), key="modernize_key_4kSwqS0yJgDPWjZQ_…"),
)
