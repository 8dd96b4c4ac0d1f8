"""The gateway benchmark: the real platform against the bare route, figures computed from the loads."""

import pytest

from deploy.bench.gateway_bench import Load, measure, summary

BARE = Load(seconds=2.0, latencies=[0.01] * 98 + [0.02, 0.05])
OURS = Load(seconds=2.0, latencies=[0.02] * 49 + [0.06])


def test_ratios_are_taken_within_a_round() -> None:
    result = summary([(BARE, OURS)])
    assert (result.figures["bare_requests_per_s"], result.figures["ours_requests_per_s"]) == (50, 25)
    assert (result.figures["bare_p99_ms"], result.figures["ours_p99_ms"]) == (20, 60)
    assert result.ratios == {"rps_vs_bare": 0.5, "p99_vs_bare": pytest.approx(3)}


async def test_both_sides_answer_the_same_under_load() -> None:
    result = await measure(rounds=1, seconds=0.4)
    assert result.figures["bare_requests_per_s"] > 0
    assert result.ratios["rps_vs_bare"] == pytest.approx(
        result.figures["ours_requests_per_s"] / result.figures["bare_requests_per_s"]
    )
