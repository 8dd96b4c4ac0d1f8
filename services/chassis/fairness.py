"""Whose work is next: weighted fair queueing (Demers, Keshav, Shenker 1989) by start tags (Goyal, Vin, Cheng 1996)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True)
class Lane:
    """Work of one client account and priority that waits: how much (as far as it was counted), since when."""

    client: UUID
    priority: int
    weight: int
    waiting: int
    since: datetime


@dataclass(frozen=True)
class Running:
    """How much of a client account's work is being done now, by all processes of the service."""

    count: int
    weight: int


class Turns:
    """Remembers who had how many turns, so that a newcomer goes before those who have been served all along.

    A client account's turn costs it 1 / weight of virtual time; the least virtual time goes first. One that was idle
    starts where the others are, so that nobody saves turns up. As work that takes long would let few turns hold every
    slot, an account that already holds its share of them yields to one that does not.
    """

    def __init__(self) -> None:
        self._now = 0.0
        # Virtual time at which an account's next turn may start; whoever is not in here may start now.
        self._next: dict[UUID, float] = {}

    def take(self, lanes: Sequence[Lane], running: Mapping[UUID, Running], free: int, limit: int) -> dict[Lane, int]:
        """How many pieces to take from which lane, `free` in all, no account having more than `limit` in work."""
        waiting: dict[UUID, list[Lane]] = {}
        for lane in sorted(lanes, key=lambda each: (-each.priority, each.since)):
            waiting.setdefault(lane.client, []).append(lane)
        weights = {client: each.weight for client, each in running.items()}
        weights |= {client: queue[0].weight for client, queue in waiting.items()}
        in_work = dict.fromkeys(weights, 0) | {client: each.count for client, each in running.items()}
        each_weight = (sum(in_work.values()) + free) / sum(weights.values()) if weights else 0.0
        share = {client: math.ceil(each_weight * weight) for client, weight in weights.items()}

        def rank(lane: Lane) -> tuple[bool, float, int, datetime]:
            return in_work[lane.client] >= share[lane.client], self._start(lane.client), -lane.priority, lane.since

        taken: dict[Lane, int] = {}
        for _ in range(free):
            ready = [queue[0] for client, queue in waiting.items() if queue and in_work[client] < limit]
            if not ready:
                break
            lane = min(ready, key=rank)
            self._charge(lane.client, weights[lane.client], [each.client for each in ready])
            in_work[lane.client] += 1
            taken[lane] = taken.get(lane, 0) + 1
            if taken[lane] == lane.waiting:
                waiting[lane.client].pop(0)
        return taken

    def _start(self, client: UUID) -> float:
        return max(self._next.get(client, 0.0), self._now)

    def _charge(self, client: UUID, weight: int, ready: Sequence[UUID]) -> None:
        # Time goes on to the earliest start among those who wait, and forgets whom it has caught up with.
        now = min(self._start(each) for each in ready)
        self._next[client] = self._start(client) + 1 / weight
        self._now = now
        self._next = {each: time for each, time in self._next.items() if time > now}
