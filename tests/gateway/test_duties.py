"""Separation of duties: where it is configured, nobody approves what he edited, whatever name he has."""

from typing import Any

import httpx2
import pytest

from contracts.envelope import Tenant
from contracts.flows import ApprovalRequested
from contracts.learning import Learning, LearningProposed
from services.gateway.access.grants import account
from tests.gateway.platform import TABLE_ID, Platform, approval_requested
from tests.gateway.test_keys import made
from tests.gateway.test_learnings import FIELD

EDITS = {str(TABLE_ID): {"Tier": "dr_tier"}}


class Engagement:
    """An engagement with two leads and tasks for them."""

    def __init__(self, platform: Platform, tenant: Tenant, leads: list[str]) -> None:
        self.platform, self.tenant, self.leads = platform, tenant, leads

    async def post(self, lead: int, path: str, body: Any) -> httpx2.Response:
        """What one of the leads is answered."""
        headers = self.platform.of(self.tenant, self.leads[lead])
        return await self.platform.client.post(f"/api/v1{path}", json=body, headers=headers)

    async def task(self, **more: Any) -> ApprovalRequested:
        """A new task."""
        task = approval_requested(self.tenant, **more)
        await self.platform.hear(task)
        return task

    async def decide(self, lead: int, task: ApprovalRequested, decision: str = "approve", **more: Any) -> Any:
        """The status, and the code or the task's status, of a decision."""
        response = await self.post(lead, f"/approvals/{task.task_id}/decision", {"decision": decision, **more})
        return response.status_code, response.json().get("code", response.json()["status"])


async def an_engagement(platform: Platform, *, separated: bool = True) -> Engagement:
    """Two leads of the same name."""
    tenant = await platform.new_tenant()
    value = {"value": separated, "reason": "four eyes"}
    headers = platform.of(account(tenant.client_account_id))
    put = await platform.client.put("/api/v1/configuration/separation_of_duties", json=value, headers=headers)
    assert put.status_code == 200, put.text
    leads = [(await made(platform, tenant, role="engagement_lead"))["key"] for _ in range(2)]
    return Engagement(platform, tenant, leads)


BARRED = (403, "separation_of_duties")
DONE = (200, "approved")


async def test_edits_at_the_gate_wait_for_somebody_else(platform: Platform) -> None:
    engagement = await an_engagement(platform)
    task = await engagement.task()
    assert await engagement.decide(0, task, "edit", edits=EDITS) == (200, "pending")
    shown = await platform.get(f"/approvals/{task.task_id}", engagement.tenant)
    assert (shown["edits"], shown["edited_by"]) == (EDITS, "CMDB")
    assert (await platform.told("approval.edited"))["data"]["edits"] == EDITS
    assert "approval.decided" not in platform.heard.types()
    assert await engagement.decide(0, task) == BARRED
    assert await engagement.decide(1, task) == DONE
    told = (await platform.told("approval.decided"))["data"]
    assert (told["edits"], told["edited_by"]) == (EDITS, "CMDB")
    refused = (await platform.told("access.refused"))["data"]
    assert (refused["code"], refused["route"]) == ("separation_of_duties", "decide")
    assert "approver" in refused["reason"]


async def test_whoever_edited_may_reject(platform: Platform) -> None:
    engagement = await an_engagement(platform)
    task = await engagement.task()
    await engagement.decide(0, task, "edit", edits=EDITS)
    assert await engagement.decide(0, task, "reject") == (200, "rejected")


async def test_both_who_edited_are_barred(platform: Platform) -> None:
    engagement = await an_engagement(platform)
    task = await engagement.task()
    for lead in (0, 1):
        assert await engagement.decide(lead, task, "edit", edits=EDITS) == (200, "pending")
    assert [await engagement.decide(lead, task) for lead in (0, 1)] == [BARRED, BARRED]


@pytest.mark.parametrize("kind", ["field", "learning"])
async def test_who_changed_what_mapping_knows_approves_no_mapping_until_another_one_did(
    platform: Platform, kind: str
) -> None:
    engagement = await an_engagement(platform)
    if kind == "field":
        assert (await engagement.post(0, "/fields", FIELD)).status_code == 201
    else:
        asked = (await engagement.post(0, "/learnings", {"text": "RAM_GB is Memory"})).json()
        # What is only proposed bars nobody.
        assert await engagement.decide(0, await engagement.task()) == DONE
        proposed = Learning.model_validate({**asked, "status": "proposed"})
        await platform.hear(LearningProposed(tenant=engagement.tenant, learning=proposed))
        applied = await platform.post(
            f"/learnings/{asked['learning_id']}/decision", {"decision": "apply"}, engagement.tenant
        )
        assert applied.status_code == 200, applied.text
    first, second = await engagement.task(), await engagement.task()
    plan = await engagement.task()
    assert await engagement.decide(0, first) == BARRED
    assert await engagement.decide(1, second) == DONE
    # Another one has looked at a mapping since.
    assert await engagement.decide(0, first) == DONE
    assert await engagement.decide(1, plan) == DONE


async def test_where_duties_are_not_separated_one_person_does_it_all(platform: Platform) -> None:
    engagement = await an_engagement(platform, separated=False)
    assert (await engagement.post(0, "/fields", FIELD)).status_code == 201
    assert await engagement.decide(0, await engagement.task(), "edit", edits=EDITS) == DONE
