"""The OWASP API Security Top 10 of 2023, a class an item: https://owasp.org/API-Security/editions/2023/en/0x11-t10/

What is tried here is how each item is exploited, from outside; the parts have tests of their own beside it.
"""

import asyncio
import base64
import json
from typing import Any
from uuid import uuid4

import pytest

from contracts.access import ROLE_SCOPES, Role
from contracts.envelope import PLATFORM
from services.chassis.bus.external import Refused
from services.chassis.settings import Settings
from services.gateway.access.key_format import new_key
from services.gateway.flows.admission import admit
from services.gateway.route_scopes import ROUTE_SCOPES
from tests.far_server import answer, far_server
from tests.gateway.every_route import EVERY_ROUTE, OWN_THINGS
from tests.gateway.people import PASSWORD, People
from tests.gateway.platform import Platform, a_platform, flow_updated
from tests.gateway.test_keys import made
from tests.gateway.test_rate_limits import configure

LEAD: Role = "engagement_lead"


class TestAPI1BrokenObjectLevelAuthorization:
    """An id of somebody else's in the path, the query or the body opens nothing."""

    async def test_an_id_in_the_path_is_looked_up_in_the_callers_tenant_only(self, platform: Platform) -> None:
        mine, theirs = await platform.new_tenant(), await platform.new_tenant()
        flow = flow_updated(theirs)
        await platform.hear(flow)
        key = (await made(platform, mine, role=LEAD))["key"]
        for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/pause"), ("GET", "/timeline")):
            answer = await platform.client.request(
                method, f"/api/v1/flows/{flow.flow_id}{path}", headers=platform.of(mine, key)
            )
            assert (answer.status_code, answer.json()["code"]) == (404, "flow_not_found"), (method, path)

    async def test_an_id_in_the_body_is_too(self, platform: Platform) -> None:
        mine, theirs = await platform.new_tenant(), await platform.new_tenant()
        upload = await platform.upload(tenant=theirs)
        answer = await platform.post("/flows", {"import_ids": [upload["import_id"]]}, mine)
        assert (answer.status_code, answer.json()["code"]) == (404, "import_not_found")

    async def test_naming_another_tenant_in_the_headers_takes_a_role_there(self, platform: Platform) -> None:
        mine, theirs = await platform.new_tenant(), await platform.new_tenant()
        key = (await made(platform, mine, role=LEAD))["key"]
        half = theirs.model_copy(update={"client_account_id": mine.client_account_id})
        for tenant in (theirs, half):
            answer = await platform.client.get("/api/v1/flows", headers=platform.of(tenant, key))
            assert (answer.status_code, answer.json()["code"]) == (404, "engagement_not_found")


class TestAPI2BrokenAuthentication:
    """Guessing does not pay, and a credential counts only as it was given out."""

    async def test_guessing_a_password_is_slowed_down_whether_or_not_the_account_exists(self, people: People) -> None:
        await people.joined("ada@example.com")
        for email in ("ada@example.com", "nobody@example.com"):
            answers = [await people.log_in(email, f"wrong password {number}") for number in range(12)]
            assert answers[0].status_code == 401
            assert answers[-1].status_code == 429
            assert int(answers[-1].headers["retry-after"]) > 0
        codes = {(await people.log_in(email)).json()["code"] for email in ("ada@example.com", "nobody@example.com")}
        assert len(codes) == 1

    async def test_a_token_that_was_changed_is_none(self, people: People) -> None:
        await people.joined("ada@example.com")
        tokens = await people.signed_in("ada@example.com")
        head, claims, signature = tokens["access_token"].split(".")

        def part(value: dict[str, Any]) -> str:
            return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

        def read(text: str) -> dict[str, Any]:
            value: dict[str, Any] = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
            return value

        assert (await people.me(tokens)).status_code == 200
        for forged in (
            f"{part({**read(head), 'alg': 'none'})}.{claims}.",
            f"{part({**read(head), 'alg': 'HS256'})}.{claims}.{signature}",
            f"{head}.{part({**read(claims), 'sub': str(uuid4())})}.{signature}",
            f"{head}.{part({**read(claims), 'exp': 4_000_000_000})}.{signature}",
            f"{head}.{claims}.{signature[:-4]}AAAA",
        ):
            assert (await people.me({"access_token": forged})).status_code == 401

    async def test_a_key_is_more_than_its_id(self, platform: Platform) -> None:
        tenant = await platform.new_tenant()
        key = await made(platform, tenant, role="viewer")
        guessed = new_key(key["key_id"])
        answers = [
            await platform.client.get("/api/v1/flows", headers=platform.of(tenant, each))
            for each in (guessed, key["key"], guessed)
        ]
        assert [each.status_code for each in answers] == [401, 200, 401]

    async def test_a_stolen_refresh_token_ends_the_session_of_thief_and_victim(self, people: People) -> None:
        await people.joined("ada@example.com")
        tokens = await people.signed_in("ada@example.com")
        thiefs = (await people.refresh(tokens["refresh_token"])).json()
        assert (await people.refresh(tokens["refresh_token"])).status_code == 401
        assert (await people.refresh(thiefs["refresh_token"])).status_code == 401
        assert (await people.me(thiefs)).status_code == 401


class TestAPI3BrokenObjectPropertyLevelAuthorization:
    """Nobody sets what is not theirs to set, or reads what is not theirs to read, of a thing that they may use."""

    async def test_what_the_platform_decides_cannot_be_sent_along(self, platform: Platform) -> None:
        tenant = await platform.new_tenant()
        other = await platform.new_tenant()
        body = {
            "name": "Memory class",
            "key_id": "chosen",
            "scopes_everywhere": ["platform:write"],
            **other.model_dump(mode="json"),
        }
        key = await made(platform, tenant, **{**body, "role": "viewer"})
        assert key["key_id"] != "chosen"
        assert [each["key_id"] for each in (await platform.get("/keys", tenant))["items"]] == [key["key_id"]]
        assert (await platform.get("/keys", other))["items"] == []

    async def test_nobody_gives_away_more_than_they_have(self, platform: Platform) -> None:
        tenant = await platform.new_tenant()
        lead = (await made(platform, tenant, role=LEAD))["key"]
        for body in ({"role": "platform_admin"}, {"role": "client_admin", "scopes": ["audit:read"]}):
            answer = await platform.client.post(
                "/api/v1/keys", json={"name": "x", **body}, headers=platform.of(tenant, lead)
            )
            given = set(answer.json().get("scopes", []))
            assert answer.status_code == 403 or given <= ROLE_SCOPES[LEAD], answer.text


class TestAPI4UnrestrictedResourceConsumption:
    """Requests, bodies, pages and uploads have limits."""

    async def test_a_caller_who_floods_is_told_to_wait_and_others_are_not(self, platform: Platform) -> None:
        tenant, other = await platform.new_tenant(), await platform.new_tenant()
        await configure(platform, tenant, tenant_request_burst=5, tenant_requests_per_minute=1)
        flood = await asyncio.gather(
            *(platform.client.get("/api/v1/flows", headers=platform.of(tenant)) for _ in range(20))
        )
        assert sorted({each.status_code for each in flood}) == [200, 429]
        assert sum(each.status_code == 200 for each in flood) == 5
        assert (await platform.client.get("/api/v1/flows", headers=platform.of(other))).status_code == 200

    async def test_a_body_beyond_the_limit_is_not_read(self, platform: Platform) -> None:
        answer = await platform.post("/schedules", {"name": "x" * 2 * 1024**2})
        assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")

    @pytest.mark.parametrize("limit", [0, -1, 10_000, "many"])
    async def test_a_page_has_a_size_that_is_allowed(self, platform: Platform, limit: int | str) -> None:
        answer = await platform.client.get("/api/v1/flows", params={"limit": limit})
        assert answer.status_code == 422


class TestAPI5BrokenFunctionLevelAuthorization:
    """What a role may not do it cannot do by another method, path or spelling."""

    async def test_a_viewer_changes_nothing(self, platform: Platform) -> None:
        tenant = await platform.new_tenant()
        key = (await made(platform, tenant, role="viewer"))["key"]
        for method, path in (
            ("POST", "/flows"),
            ("POST", "/keys"),
            ("PUT", "/limits"),
            ("PUT", "/configuration/separation_of_duties"),
            ("POST", "/schedules"),
            ("DELETE", f"/flows/{uuid4()}"),
            ("POST", "/audit/verifications"),
        ):
            body = {"value": True, "reason": "x"}
            answer = await platform.client.request(
                method, f"/api/v1{path}", json=body, headers=platform.of(tenant, key)
            )
            assert answer.status_code in (403, 422), (method, path, answer.text)
        # What is wrong with a body may be told before who asks; that nothing was done is what counts.
        assert (await platform.get("/schedules", tenant))["items"] == []

    async def test_a_lead_of_a_tenant_is_nobody_in_the_platform(self, platform: Platform) -> None:
        tenant = await platform.new_tenant()
        key = (await made(platform, tenant, role=LEAD))["key"]
        body = {"client_name": "Mine", "engagement_name": "All"}
        made_one = await platform.client.post("/api/v1/engagements", json=body, headers=platform.of(PLATFORM, key))
        metrics = await platform.client.get("/metrics", headers={"x-api-key": key})
        assert (made_one.status_code, metrics.status_code) == (403, 403)

    @pytest.mark.parametrize("method", ["PATCH", "TRACE", "PROPFIND"])
    async def test_another_method_is_no_way_around(self, platform: Platform, method: str) -> None:
        answer = await platform.client.request(method, "/api/v1/flows", headers={"x-http-method-override": "DELETE"})
        assert answer.status_code == 405


class TestAPI6UnrestrictedAccessToSensitiveBusinessFlows:
    """What costs much, or decides much, cannot be done over and over by a script, or by one person alone."""

    async def test_an_engagement_starts_no_more_flows_a_day_than_it_may(self, platform: Platform) -> None:
        tenant = await platform.new_tenant()
        upload = await platform.upload(tenant=tenant)
        await configure(platform, tenant, flows_per_day=2)
        body = {"import_ids": [upload["import_id"]]}
        assert [(await platform.post("/flows", body, tenant)).status_code for _ in range(3)] == [202, 202, 429]

    async def test_invitations_are_good_once(self, people: People) -> None:
        token = await people.invited("ada@example.com")
        body = {"token": token, "password": PASSWORD}
        answers = await asyncio.gather(*(people.post("/invitations/accept", body) for _ in range(5)))
        assert sorted(each.status_code for each in answers)[0] == 201
        assert sum(each.status_code == 201 for each in answers) == 1


class TestAPI7ServerSideRequestForgery:
    """A URL that a tenant names leads to the internet or nowhere."""

    @pytest.mark.parametrize(
        "url",
        [
            "http://169.254.169.254/latest/meta-data/",
            "https://127.0.0.1/inventory.csv",
            "https://localhost/inventory.csv",
            "https://[::ffff:10.0.0.1]/inventory.csv",
            "https://2130706433/inventory.csv",
            "https://0x7f.1/inventory.csv",
            "https://user@127.0.0.1/inventory.csv",
            "file:///etc/passwd",
            "gopher://127.0.0.1:6379/_INFO",
        ],
    )
    async def test_a_url_that_leads_inside_is_refused_without_a_word_of_what_is_there(
        self, platform: Platform, url: str
    ) -> None:
        answer = await platform.post("/imports/url", {"url": url, "file_name": "inventory.csv"})
        assert 400 <= answer.status_code < 500, answer.text
        assert (await platform.get("/imports"))["items"] == []


class TestAPI8SecurityMisconfiguration:
    """Every answer is told how to be treated, and no fault tells of the inside."""

    async def test_every_answer_has_the_headers_errors_too(self, platform: Platform) -> None:
        for path in ("/api/v1/flows", "/api/v1/flows/no-id", "/nowhere", "/health/live"):
            answer = await platform.client.get(path)
            assert answer.headers["x-content-type-options"] == "nosniff", path
            assert "frame-ancestors 'none'" in answer.headers["content-security-policy"], path
        assert (await platform.client.get("/api/v1/flows")).headers["cache-control"] == "no-store"

    async def test_a_fault_tells_a_trace_id_and_nothing_else(
        self, platform: Platform, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(*_arguments: object) -> object:
            raise RuntimeError("cannot reach the database on 10.1.2.3 as modernize_gateway")

        monkeypatch.setattr(platform.runtime.database, "transaction", broken)
        answer = await platform.client.get("/api/v1/flows")
        assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
        assert "10.1.2.3" not in answer.text
        assert "RuntimeError" not in answer.text
        assert answer.json()["trace_id"]


class TestAPI9ImproperInventoryManagement:
    """There is no route that nobody knows of: what answers is documented, tabled and tried."""

    async def test_every_route_is_documented_has_a_scope_and_is_in_the_tests(self, platform: Platform) -> None:
        document = (await platform.client.get("/openapi.json")).json()
        operations = {
            (method.upper(), path.removeprefix("/api/v1")): operation["operationId"]
            for path, methods in document["paths"].items()
            for method, operation in methods.items()
        }
        assert set(operations.values()) | {"show_metrics", "watch_agents", "watch_task"} == set(ROUTE_SCOPES)
        tried = {*EVERY_ROUTE, *OWN_THINGS}
        # What everybody, or everybody for themselves, may ask has no tenant to be tried in.
        untried = {route for route, name in operations.items() if ROUTE_SCOPES[name] not in (None, "own")} - tried
        assert not untried

    @pytest.mark.parametrize("path", ["/api/v0/flows", "/api/flows", "/flows", "/admin", "/.env", "/metrics/"])
    async def test_there_are_no_older_or_hidden_ones(self, platform: Platform, path: str) -> None:
        answer = await platform.client.get(path, headers={"x-api-key": "none"})
        assert answer.status_code in (401, 404, 307)


class TestAPI10UnsafeConsumptionOfAPIs:
    """What other systems send is checked as what people send is."""

    async def test_an_event_from_outside_with_a_key_of_another_tenant_starts_nothing(self, platform: Platform) -> None:
        mine, theirs = await platform.new_tenant(), await platform.new_tenant()
        key = (await made(platform, mine, role=LEAD))["key"]
        message = {
            "type": "discovery.requested",
            "source": "cmdb",
            "id": "1",
            "clientaccountid": str(theirs.client_account_id),
            "engagementid": str(theirs.engagement_id),
            "data": {"import_ids": []},
        }
        async with platform.runtime.database.session() as session:
            with pytest.raises(Refused) as refused:
                await admit(message, key, session, platform.runtime)
        assert refused.value.code == "unknown_tenant"

    async def test_a_redirect_of_a_foreign_server_is_judged_again(self, settings: Settings) -> None:
        allowed = settings.model_copy(update={"outbound_allowed": "http://127.0.0.1:*"})
        inside = answer("302 Found", Location="http://169.254.169.254/latest/meta-data/a.csv")
        async with a_platform(allowed) as platform, far_server(inside) as far:
            refused = await platform.post("/imports/url", {"url": f"{far.url}/a.csv"})
            assert 400 <= refused.status_code < 500, refused.text
            assert far.connections == 1
            assert (await platform.get("/imports"))["items"] == []
