"""The benchmark of the audit log measures what it says, on a small log."""

import math

from deploy.bench.audit_bench import measured
from services.chassis.settings import Settings


async def test_every_figure_is_measured(settings: Settings) -> None:
    figures = await measured(settings, 1_000)
    assert set(figures) == {
        "audit_append_per_s",
        "audit_append_mixed_per_s",
        "audit_sign_per_s",
        "audit_verify_per_s",
    }
    assert all(math.isfinite(value) and value > 0 for value in figures.values())
