"""The short dose of drawn requests, and that the check for foreign bytes finds some."""

from dataclasses import replace
from pathlib import Path

import pytest

from deploy.bench.platform_process import platform_process
from tests.security.fuzzing import fuzz
from tests.security.two_tenants import two_tenants

SECONDS = 25
# It ends with the first finding; a busy machine may take its time to get there.
FINDING_SECONDS = 150
SEED = 20261121


@pytest.mark.timeout(300)
async def test_drawn_requests_meet_no_fault_and_nothing_of_the_other_tenant(tmp_path: Path) -> None:
    async with platform_process("embedded", {"MODERNIZE_DATA_DIR": str(tmp_path / "platform")}) as platform:
        owner, other = await two_tenants(platform.url, platform.api_key)
        # Whoever takes the other for itself sees foreign bytes everywhere: so the check can fail. It reads only, before
        # anything that was drawn can delete what there is to see.
        reading = ("--include-method", "GET", "--max-failures", "1")
        leaking = fuzz(platform.url, replace(other, key=owner.key), owner, FINDING_SECONDS, SEED, tmp_path, *reading)
        assert leaking.status == 1, leaking.report
        assert "belongs to another tenant" in leaking.report
        found = fuzz(platform.url, owner, other, SECONDS, SEED, tmp_path)
    assert found.status == 0, found.report
