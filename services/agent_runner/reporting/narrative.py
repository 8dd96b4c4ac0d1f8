"""The executive summary: the figures of a report in sentences."""

from contracts.report import ExecutiveSummary, ReportFacts
from services.agent_runner.reporting.wording import (
    TREATMENT_MEANINGS,
    counted,
    listed,
    percent,
    risk_band,
    share,
    size,
    value_label,
)

NEXT_STEPS = 5


def tell(facts: ReportFacts) -> ExecutiveSummary:
    """What there is, what it means and what to do next; every figure is from `facts`."""
    return ExecutiveSummary(
        situation=[sentence for sentence in (_inventory(facts), _landscape(facts), _capacity(facts)) if sentence],
        meaning=[
            sentence for sentence in (_scope(facts), _course(facts), _treatment(facts), _connections(facts)) if sentence
        ],
        next_steps=_next_steps(facts),
    )


def _inventory(facts: ReportFacts) -> str:
    headline = facts.headline
    read = f"{counted(headline.rows_read, 'row')} in {counted(len(facts.files), 'file')}"
    if not headline.assets:
        return f"No assets were found in {read}."
    cleaned = [
        f"{counted(number, noun)} {did}"
        for number, noun, did in (
            (headline.duplicates_merged, "duplicate", "merged"),
            (headline.rows_rejected, "row", "set aside"),
        )
        if number
    ]
    after = f", after cleansing with {listed(cleaned)}" if cleaned else ""
    return (
        f"{counted(headline.assets, 'asset')} of {counted(headline.applications, 'application')} "
        f"were found in {read}{after}."
    )


def _landscape(facts: ReportFacts) -> str:
    assets = facts.headline.assets
    parts = []
    for groups, words in (
        (facts.environments, "{share} of the assets are {label}"),
        (facts.operating_system_families, "{share} run {label}"),
    ):
        named = [group for group in groups if group.label is not None]
        if named:
            first = named[0]
            label = value_label(first.label)
            label = label.lower() if groups is facts.environments else label
            parts.append(words.format(share=share(first.assets, assets), label=label))
    ended = facts.headline.past_end_of_life
    if ended:
        parts.append(f"{counted(ended, 'asset')} {'is' if ended == 1 else 'are'} past the end of life")
    return f"{listed(parts)}." if parts else ""


def _capacity(facts: ReportFacts) -> str:
    sums = facts.capacity
    known = [
        f"{amount} (known for {share(total.known_assets, sums.assets)})"
        for total, amount in (
            (sums.cpu_cores, f"{counted(round(sums.cpu_cores.total), 'CPU core')}"),
            (sums.memory_gb, f"{size(sums.memory_gb.total)} of memory"),
            (sums.storage_gb, f"{size(sums.storage_gb.total)} of storage"),
        )
        if total.known_assets
    ]
    return f"Together they have {listed(known)}." if known else ""


def _scope(facts: ReportFacts) -> str:
    headline = facts.headline
    if not headline.applications:
        return "There is no application to plan for."
    staying = [
        f"{counted(number, 'application')} can be switched off"
        if strategy == "retire"
        else f"{counted(number, 'application')} {'stays' if number == 1 else 'stay'} in place"
        for strategy, number in sorted(facts.unplanned.items(), reverse=True)
        if number
    ]
    moving = (
        f"{headline.applications_in_waves:,} of {counted(headline.applications, 'application')} "
        f"move to the cloud in {counted(headline.waves, 'wave')}"
        if headline.waves
        else f"None of the {counted(headline.applications, 'application')} moves to the cloud in this plan"
    )
    return f"{moving}; {listed(staying)}." if staying else f"{moving}."


def _course(facts: ReportFacts) -> str:
    if not facts.waves:
        return ""
    first, riskiest = facts.waves[0], max(facts.waves, key=lambda wave: wave.risk)
    start = (
        f"{first.name} comes first with {counted(first.applications, 'application')} on "
        f"{counted(first.assets, 'asset')} at {risk_band(first.risk)} risk ({percent(first.risk)})"
    )
    if riskiest.number == first.number:
        return f"{start}."
    return f"{start}; risk is highest in {riskiest.name}, at {percent(riskiest.risk)}."


def _treatment(facts: ReportFacts) -> str:
    if not facts.treatments:
        return ""
    top = max(facts.treatments, key=lambda treatment: treatment.applications)
    return (
        f"The most frequent treatment is {top.strategy} ({TREATMENT_MEANINGS[top.strategy]}): "
        f"{share(top.applications, facts.headline.applications)} of the applications, "
        f"decided at {percent(top.average_confidence)} confidence on average."
    )


def _connections(facts: ReportFacts) -> str:
    overview = facts.dependencies
    if not facts.waves:
        return ""
    if not overview.most_connected:
        return "No dependency between applications is known, so the order of the waves rests on size and risk alone."
    top = overview.most_connected[0]
    return (
        f"{share(overview.same_wave, overview.pairs)} of {counted(overview.pairs, 'dependency', 'dependencies')} "
        f"between applications stay inside one wave; {top.name} is the most connected, with "
        f"{counted(top.neighbours, 'other application')}."
    )


def _next_steps(facts: ReportFacts) -> list[str]:
    pressing = [finding for finding in facts.findings if finding.severity != "low"]
    steps = [
        f"{finding.title}: {finding.action[:1].lower()}{finding.action[1:]}" for finding in pressing[: NEXT_STEPS - 1]
    ]
    if facts.waves:
        first = facts.waves[0]
        names = listed(first.examples[:3], first.applications)
        steps.append(f"Start with {first.name}: agree on dates and tests with the owners of {names}.")
    return steps or ["Import an inventory that has at least one server, VM or application."]
