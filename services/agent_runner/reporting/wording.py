"""Numbers as people read them. 1 TB is 1,024 GB."""

from collections.abc import Sequence

from contracts.agent_work import AgentWork
from services.agent_runner.analysis.risk import level_of

TREATMENT_MEANINGS = {
    "rehost": "moved as it is",
    "replatform": "moved with small changes to its platform",
    "refactor": "changed or rebuilt for the cloud",
    "repurchase": "replaced by a product or service",
    "retire": "switched off",
    "retain": "left where it is",
}


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """A number with its noun: "1 asset", "1,200 assets"."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def percent(share: float) -> str:
    """A share of 0 to 1 in whole percent that never rounds to none or all when it is neither."""
    if 0 < share < 0.005:
        return "<1%"
    if 0.995 <= share < 1:
        return ">99%"
    return f"{share:.0%}"


def share(part: int, whole: int) -> str:
    """How much `part` is of `whole`, in percent; of nothing it is 0%."""
    return percent(part / whole if whole else 0.0)


def size(gigabytes: float) -> str:
    """An amount of memory or storage in GB, TB or PB."""
    for unit in ("GB", "TB"):
        if abs(gigabytes) < 1024:
            return f"{gigabytes:,.0f} {unit}" if unit == "GB" else f"{gigabytes:,.1f} {unit}"
        gigabytes /= 1024
    return f"{gigabytes:,.1f} PB"


def listed(names: list[str], total: int | None = None) -> str:
    """Names in a sentence: "a, b and c", or "a, b and 7 more" when `total` says that there are others."""
    more = (total or len(names)) - len(names)
    parts = [*names, f"{more:,} more"] if more > 0 else names
    return " and ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else "".join(parts)


def risk_band(risk: float) -> str:
    """The word for a risk of 0 to 1, the same that the risk assessor uses."""
    return level_of(risk)


def told_of_agents(work: Sequence[AgentWork]) -> list[str]:
    """A sentence for each step in which an agent took part: who answered, what differs, what it used, why not."""
    if not work:
        return ["Rules decided everything that people did not; no model was asked."]
    return [_told_of(each) for each in work]


def _told_of(work: AgentWork) -> str:
    doubts = f"{value_label(work.step)}: the rules were unsure of {counted(work.asked, 'answer')}"
    used = ""
    if work.calls:
        failed = f", {work.calls_failed:,} of them failed" if work.calls_failed else ""
        tokens = counted(work.tokens_in + work.tokens_out, "token")
        used = f" {counted(work.calls, 'call')}{failed}, {tokens}, {work.cost_usd:.4f} USD."
    if work.model is None:
        why = "" if work.fallback is None else f" {work.fallback.detail}"
        return f"{doubts} and decided alone.{why}{used}"
    return f"{doubts}; {work.model} would answer {work.otherwise:,} otherwise, which stands beside.{used}"


def value_label(value: str | None) -> str:
    """A value as a label: code names become words, no value says so."""
    if value is None:
        return "Not given"
    words = value.replace("_", " ") if value.islower() else value
    return words[:1].upper() + words[1:]
