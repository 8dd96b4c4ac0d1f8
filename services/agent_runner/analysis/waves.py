"""The wave plan: a pilot, the shared services, then move groups with rising risk, each wave within its size limit."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

import polars as pl

from contracts.claim_checks import APPLICATIONS, ASSESSMENTS, ASSETS, DEPENDENCIES, PLAN
from contracts.planning import Wave, WaveLimits
from services.agent_runner.analysis.layouts import conform, schema_of
from services.agent_runner.analysis.move_groups import find_hubs, form_move_groups, size_of
from services.agent_runner.analysis.scales import criticality_level, environment_rank, is_retired
from services.agent_runner.analysis.six_r import MOVED
from services.agent_runner.analysis.wave_reasons import WaveKind, Workload, reason_of_application, reason_of_wave

# A pilot proves the way and should cost little when it fails: groups up to this risk, none in production or staging.
PILOT_RISK = 0.6
# A group may still join one of the last few waves, so that one large group does not leave a wave half empty.
_OPEN_WAVES = 5


@dataclass(frozen=True)
class WavePlan:
    """The plan (layout PLAN), its waves, and how many applications no wave moves, by treatment.

    An application without an assessment counts as "not_assessed".
    """

    plan: pl.DataFrame
    waves: list[Wave]
    unplanned: dict[str, int]


@dataclass(frozen=True)
class _Group:
    """A move group; its risk is that of its riskiest application."""

    members: tuple[Workload, ...]
    size: int
    risk: float
    has_hub: bool

    @property
    def order(self) -> tuple[float, int, tuple[str, str]]:
        """Low risk first, then small, then by name."""
        return self.risk, self.size, (self.members[0].name, self.members[0].uid)


@dataclass(frozen=True)
class _Draft:
    """A wave that has no number yet."""

    kind: WaveKind
    groups: tuple[_Group, ...]

    @property
    def members(self) -> tuple[Workload, ...]:
        return tuple(member for group in self.groups for member in group.members)

    @property
    def risk(self) -> float:
        """The mean of its groups' risks, by size."""
        return sum(group.risk * group.size for group in self.groups) / sum(group.size for group in self.groups)


def plan_waves(
    applications: pl.DataFrame,
    dependencies: pl.DataFrame,
    assessments: pl.DataFrame,
    assets: pl.DataFrame,
    limits: WaveLimits,
) -> WavePlan:
    """Put every application that moves into one wave.

    Takes the layouts APPLICATIONS, DEPENDENCIES, ASSESSMENTS and ASSETS. Retired assets move nowhere and are not
    counted. First comes a pilot of groups that are neither productive nor critical; then the shared services (hubs),
    so that what follows finds them in the cloud; then the other groups, packed in order of their risk. A group larger
    than `limits.max_assets`, which only shared assets or a single application can make, is a wave of its own.
    """
    dependencies = conform(dependencies, DEPENDENCIES)
    joined = conform(applications, APPLICATIONS).join(
        conform(assessments, ASSESSMENTS).select("application_uid", "strategy", "risk"),
        on="application_uid",
        how="left",
    )
    hubs = find_hubs(joined.height, dependencies)
    workloads = _workloads(joined.filter(pl.col("strategy").is_in(list(MOVED))), conform(assets, ASSETS), hubs)
    moved = {uid: workload.assets for uid, workload in workloads.items()}
    groups = []
    for uids in form_move_groups(moved, dependencies, hubs, limits.max_assets):
        members = tuple(sorted((workloads[uid] for uid in uids), key=lambda member: (member.name, member.uid)))
        risk = max(member.risk for member in members)
        groups.append(_Group(members, size_of(uids, moved), risk, any(member.hub_neighbours for member in members)))
    drafts = _draft_waves(sorted(groups, key=lambda group: group.order), limits)
    left = joined.filter(~pl.col("strategy").is_in(list(MOVED)).fill_null(False))
    unplanned = left.group_by(pl.col("strategy").fill_null("not_assessed")).len().sort("strategy")
    plan, waves = _write_down(
        drafts, dependencies, dict(joined.select("application_uid", "strategy").iter_rows()), limits
    )
    return WavePlan(plan, waves, dict(unplanned.iter_rows()))


def _workloads(moving: pl.DataFrame, assets: pl.DataFrame, hubs: Mapping[str, int]) -> dict[str, Workload]:
    gone = {uid for uid, status in assets.select("asset_uid", "lifecycle_status").iter_rows() if is_retired(status)}
    columns = ("application_uid", "name", "strategy", "risk", "asset_uids", "environment", "criticality")
    return {
        uid: Workload(
            uid=uid,
            name=name,
            strategy=strategy,
            risk=1.0 if risk is None else risk,
            assets=frozenset(asset for asset in asset_uids or [] if asset is not None) - gone,
            environment_rank=environment_rank(environment),
            criticality_level=criticality_level(criticality),
            hub_neighbours=hubs.get(uid, 0),
        )
        for uid, name, strategy, risk, asset_uids, environment, criticality in moving.select(columns).iter_rows()
    }


def _draft_waves(groups: list[_Group], limits: WaveLimits) -> list[_Draft]:
    """The waves in their order, from groups in order of risk."""
    pilot = _pilot(groups, limits)
    taken = {id(group) for group in pilot}
    shared = [group for group in groups if group.has_hub]
    others = [group for group in groups if not group.has_hub and id(group) not in taken]
    regular = sorted((_Draft("regular", wave) for wave in _pack(others, limits.max_assets)), key=_draft_order)
    services = sorted((_Draft("shared_services", wave) for wave in _pack(shared, limits.max_assets)), key=_draft_order)
    return [*([_Draft("pilot", tuple(pilot))] if pilot else []), *services, *regular]


def _draft_order(draft: _Draft) -> tuple[float, str, str]:
    first = draft.members[0]
    return draft.risk, first.name, first.uid


def _pilot(groups: list[_Group], limits: WaveLimits) -> list[_Group]:
    """The groups of the pilot: those that suit, the least risky first, as many as fit.

    Where none suits, the next best are productive ones that are not critical, and then the least risky one of all.
    """
    most = min(limits.pilot_assets, limits.max_assets)
    small = [group for group in groups if not group.has_hub and group.size <= most]
    suits = [group for group in small if group.risk <= PILOT_RISK and all(member.is_simple for member in group.members)]
    safe = [group for group in suits if all(member.is_safe for member in group.members)]
    return _fitting(safe, most) or _fitting(suits, most) or small[:1]


def _fitting(groups: list[_Group], most: int) -> list[_Group]:
    """Groups in the order given, leaving out those for which there is no room any more."""
    chosen: list[_Group] = []
    for group in groups:
        if sum(other.size for other in chosen) + group.size <= most:
            chosen.append(group)
    return chosen


def _pack(groups: list[_Group], most: int) -> list[tuple[_Group, ...]]:
    """Fill waves in the order given: a group joins the first of the last few waves that it fits into."""
    waves: list[list[_Group]] = []
    sizes: list[int] = []
    for group in groups:
        recent = range(max(0, len(waves) - _OPEN_WAVES), len(waves))
        index = next((index for index in recent if sizes[index] + group.size <= most), None)
        if index is None:
            waves.append([group])
            sizes.append(group.size)
        else:
            waves[index].append(group)
            sizes[index] += group.size
    return [tuple(wave) for wave in waves]


def _write_down(
    drafts: list[_Draft], dependencies: pl.DataFrame, strategies: Mapping[str, str | None], limits: WaveLimits
) -> tuple[pl.DataFrame, list[Wave]]:
    numbers = {member.uid: number for number, draft in enumerate(drafts, 1) for member in draft.members}
    groups_of = {
        member.uid: number
        for number, group in enumerate((group for draft in drafts for group in draft.groups), 1)
        for member in group.members
    }
    ties: dict[str, list[tuple[str, str, str]]] = {}
    order = pl.col("kind").replace_strict({"shared_asset": 0, "declared": 1, "connection": 2}, default=3)
    ranked = dependencies.sort(
        order, -pl.col("observations").fill_null(0), "source_application_uid", "target_application_uid"
    )
    columns = ("source_application_uid", "target_application_uid", "source_name", "target_name", "evidence")
    crossing: dict[int, int] = dict.fromkeys(range(1, len(drafts) + 1), 0)
    for source, target, source_name, target_name, evidence in ranked.select(columns).iter_rows():
        ties.setdefault(source, []).append((target, target_name, evidence))
        ties.setdefault(target, []).append((source, source_name, evidence))
        if source in numbers and target in numbers and numbers[source] != numbers[target]:
            crossing[numbers[source]] += 1
            crossing[numbers[target]] += 1
    rows: list[dict[str, object]] = []
    waves: list[Wave] = []
    for number, draft in enumerate(drafts, 1):
        assets = frozenset().union(*(member.assets for member in draft.members))
        waves.append(
            Wave(
                number=number,
                name=_name(number, draft),
                application_ids=[UUID(member.uid) for member in draft.members],
                application_names=[member.name for member in draft.members],
                asset_count=len(assets),
                risk=round(draft.risk, 3),
                move_groups=len(draft.groups),
                reason=reason_of_wave(
                    draft.kind, draft.members, len(draft.groups), len(assets), draft.risk, crossing[number], limits
                ),
            )
        )
        rows.extend(
            {
                "wave": number,
                "move_group": groups_of[member.uid],
                "application_uid": member.uid,
                "name": member.name,
                "strategy": member.strategy,
                "asset_count": len(member.assets),
                "risk": member.risk,
                "reason": reason_of_application(member, ties.get(member.uid, []), groups_of, numbers, strategies),
            }
            for member in draft.members
        )
    return pl.DataFrame(rows, schema=schema_of(PLAN)), waves


def _name(number: int, draft: _Draft) -> str:
    if draft.kind == "pilot":
        return "Pilot"
    return f"Wave {number}: shared services" if draft.kind == "shared_services" else f"Wave {number}"
