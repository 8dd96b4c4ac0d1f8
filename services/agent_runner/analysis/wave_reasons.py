"""Why a wave is where it is and why an application is in it: sentences for people, from the facts of the plan."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from contracts.planning import WaveLimits
from services.agent_runner.analysis.phrases import counted, listed
from services.agent_runner.analysis.scales import HIGH, STAGING

WaveKind = Literal["pilot", "shared_services", "regular"]


@dataclass(frozen=True)
class Workload:
    """An application that moves, with the assets that move with it; `hub_neighbours` is 0 unless it is a hub."""

    uid: str
    name: str
    strategy: str
    risk: float
    assets: frozenset[str]
    environment_rank: int | None
    criticality_level: float | None
    hub_neighbours: int

    @property
    def is_simple(self) -> bool:
        """Whether it needs no rebuilding and is not known to be critical."""
        return self.strategy != "refactor" and (self.criticality_level or 0) < HIGH

    @property
    def is_safe(self) -> bool:
        """Whether it is known to be neither in staging, recovery or production, and not known to be critical."""
        return (
            self.environment_rank is not None
            and self.environment_rank < STAGING
            and (self.criticality_level or 0) < HIGH
        )


def reason_of_wave(
    kind: WaveKind,
    members: Sequence[Workload],
    groups: int,
    assets: int,
    risk: float,
    crossing: int,
    limits: WaveLimits,
) -> str:
    """One or two sentences: what the wave holds, why it is where it is, and what it leaves behind."""
    content = (
        f"{counted(len(members), 'application')} in {counted(groups, 'move group')} with {counted(assets, 'asset')}"
    )
    reason = {
        "pilot": _pilot_reason(content, members, risk),
        "shared_services": f"{content}. {_hub_reason(members)}",
        "regular": f"{content} at a risk of {risk:.2f}; from here on risk rises from wave to wave.",
    }[kind]
    if groups == 1 and assets > limits.max_assets:
        reason += (
            f" It exceeds the limit of {limits.max_assets} assets: its applications share assets, or are one, and "
            "cannot be parted."
        )
    if crossing:
        reach = "reaches" if crossing == 1 else "reach"
        reason += (
            f" {counted(crossing, 'dependency')} {reach} into other waves and must hold across sites until both ends "
            "moved."
        )
    return reason


def _pilot_reason(content: str, members: Sequence[Workload], risk: float) -> str:
    if all(member.is_safe for member in members):
        safety = "none of it in production or critical"
        return f"{content}, {safety}, at a risk of {risk:.2f}: it proves the way while mistakes cost little."
    return (
        f"{content}, at a risk of {risk:.2f}: no group is small and known to be neither productive nor critical, so "
        "the least risky small ones go first. Consider test systems in their place."
    )


def _hub_reason(members: Sequence[Workload]) -> str:
    hubs = sorted(
        (member for member in members if member.hub_neighbours),
        key=lambda member: (-member.hub_neighbours, member.name),
    )
    named = listed([f"{hub.name} ({hub.hub_neighbours} others)" for hub in hubs])
    return (
        f"Much of the estate is connected with {named}: as shared services they bind no group to another and move "
        "before the applications that use them, which then find them in the cloud; keep them reachable from both sites."
    )


def reason_of_application(
    member: Workload,
    ties: Sequence[tuple[str, str, str]],
    group_of: Mapping[str, int],
    wave_of: Mapping[str, int],
    strategies: Mapping[str, str | None],
) -> str:
    """Why an application is in its move group and what it leaves behind.

    `ties` are its dependencies, the strongest first: the other application's id and name, and the evidence.
    """
    others = {uid: name for uid, name, _ in ties if uid != member.uid}
    together = [(uid, evidence) for uid, _, evidence in ties if group_of.get(uid) == group_of[member.uid]]
    if member.hub_neighbours:
        others_count = counted(member.hub_neighbours, "application")
        reason = f"A shared service: connected with {others_count}, it binds no group to another."
    elif together:
        reason = (
            f"Moves together with {listed(list(dict.fromkeys(others[uid] for uid, _ in together)))}: {together[0][1]}."
        )
    elif any(uid in group_of for uid in others):
        reason = "Moves on its own: its dependencies are weak, on shared services, or would make the group too large."
    else:
        reason = "Moves on its own: no dependency on another application that moves is known."
    staying = sorted({name for uid, name in others.items() if strategies.get(uid) == "retain"})
    if staying:
        reason += f" It is connected with {listed(staying)}, not moving: allow for the distance."
    later = sorted({name for uid, name in others.items() if wave_of.get(uid, 0) > wave_of[member.uid]})
    if later:
        reason += f" Of its neighbours, {listed(later)} move{'s' if len(later) == 1 else ''} later."
    return reason
