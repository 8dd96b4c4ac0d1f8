"""How large servers are, by their role."""

from typing import NamedTuple

from deploy.demo.dice import Dice, spread
from deploy.demo.estate import Role

CPUS: dict[Role, tuple[int, ...]] = {
    "web": spread({2: 6, 4: 3}),
    "app": spread({2: 2, 4: 6, 8: 3}),
    "db": spread({4: 3, 8: 5, 16: 3, 32: 1}),
    "infra": spread({2: 5, 4: 3}),
}
MEMORY_GB_PER_CPU = spread({2: 5, 4: 10, 8: 3})
STORAGE_GB: dict[Role, tuple[int, ...]] = {
    "web": (60, 80, 100),
    "app": (80, 120, 200, 250),
    "db": (300, 500, 800, 1024, 2048, 4096),
    "infra": (80, 120, 500),
}


class ServerSize(NamedTuple):
    """Sizes in GB of 1,024 MB, utilisation in percent averaged over a month."""

    cpus: int
    memory_gb: int
    storage_gb: int
    used_gb: int
    cpu_percent: int
    memory_percent: int


def size_server(dice: Dice, role: Role, *, production: bool) -> ServerSize:
    """A size that fits the role; servers outside production are half as large and mostly idle."""
    cpus = dice.pick(CPUS[role])
    storage = dice.pick(STORAGE_GB[role])
    if not production:
        cpus, storage = max(cpus // 2, 1), max(storage // 2, 40)
    return ServerSize(
        cpus=cpus,
        memory_gb=max(cpus * dice.pick(MEMORY_GB_PER_CPU), 2),
        storage_gb=storage,
        used_gb=storage * dice.between(25, 90) // 100,
        cpu_percent=dice.between(8, 75) if production else dice.between(1, 25),
        memory_percent=dice.between(35, 92) if production else dice.between(15, 60),
    )
