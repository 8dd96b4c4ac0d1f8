"""People of a gateway under test: invited, joined, signed in."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
from sqlalchemy import text

from contracts.access import Role
from contracts.envelope import PLATFORM, Tenant
from services.gateway.api import Api
from services.gateway.app import create_api
from tests.gateway.platform import Platform

PASSWORD = "correct horse battery staple"  # pragma: allowlist secret
OTHER_PASSWORD = "and the printer sings again"  # pragma: allowlist secret


@dataclass
class People:
    """The REST interface for people, beside the client of `platform`, which has the bootstrap key."""

    platform: Platform
    app: Api
    client: httpx2.AsyncClient

    async def invited(self, email: str, role: Role = "analyst", tenant: Tenant | None = None) -> str:
        """The token of an invitation that the operator made."""
        response = await self.platform.post("/invitations", {"email": email, "role": role}, tenant)
        assert response.status_code == 201, response.text
        return str(response.json()["token"])

    async def joined(self, email: str, role: Role = "analyst", tenant: Tenant | None = None) -> str:
        """The id of a new person, who has `PASSWORD`."""
        token = await self.invited(email, role, tenant)
        response = await self.post("/invitations/accept", {"token": token, "password": PASSWORD})
        assert response.status_code == 201, response.text
        return str(response.json()["user_id"])

    async def post(self, path: str, body: Any = None, headers: dict[str, str] | None = None) -> httpx2.Response:
        """The answer to a POST below /api/v1, without a key."""
        return await self.client.post(f"/api/v1{path}", json=body, headers=headers)

    async def log_in(self, email: str, password: str = PASSWORD) -> httpx2.Response:
        """The answer to signing in."""
        return await self.post("/auth/login", {"email": email, "password": password})

    async def signed_in(self, email: str) -> dict[str, Any]:
        """The tokens of somebody with `PASSWORD`."""
        response = await self.log_in(email)
        assert response.status_code == 200, response.text
        tokens: dict[str, Any] = response.json()
        return tokens

    async def refresh(self, token: str) -> httpx2.Response:
        """The answer to a refresh token."""
        return await self.post("/auth/refresh", {"refresh_token": token})

    async def me(self, tokens: dict[str, Any], tenant: Tenant | None = None) -> httpx2.Response:
        """The answer to who asks with these tokens."""
        return await self.client.get("/api/v1/me", headers=bearer(tokens, tenant))

    async def sql(self, statement: str, tenant: Tenant = PLATFORM, **values: Any) -> list[Any]:
        """Rows of a statement in a tenant, as time or an operator could have changed them."""
        async with self.platform.runtime.database.transaction(tenant) as session:
            result = await session.execute(text(statement), values)
            return list(result) if statement.startswith("select") else []

    def events(self, event_type: str) -> list[dict[str, Any]]:
        """What was told under this name, once `platform.settled()`."""
        return [message for message in self.platform.heard.messages if message["type"] == event_type]


def bearer(tokens: dict[str, Any], tenant: Tenant | None = None) -> dict[str, str]:
    """The headers of a request by a person in a tenant."""
    headers = {"authorization": f"Bearer {tokens['access_token']}"}
    if tenant is not None:
        headers["x-client-account-id"] = str(tenant.client_account_id)
        headers["x-engagement-id"] = str(tenant.engagement_id)
    return headers


@asynccontextmanager
async def people_of(platform: Platform) -> AsyncIterator[People]:
    """People who use a gateway process of their own on the same database."""
    app = create_api(platform.runtime)
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="https://localhost") as client:
        yield People(platform, app, client)
