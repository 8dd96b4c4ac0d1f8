"""All promises, and what breaks them."""

from tests.chaos import flow_promises, message_promises
from tests.chaos.promises import CHECKS, ENDED, MASTER, SHOWN, Evidence, Violation

__all__ = ["ENDED", "MASTER", "Evidence", "Violation", "flow_promises", "message_promises", "violations"]


async def violations(evidence: Evidence) -> list[Violation]:
    """Every promise that does not hold."""
    found = []
    for words, check in CHECKS.items():
        details = [detail async for detail in check(evidence)]
        found += [Violation(words, detail) for detail in details[:SHOWN]]
        if len(details) > SHOWN:
            found.append(Violation(words, f"… and {len(details) - SHOWN} more"))
    return found
