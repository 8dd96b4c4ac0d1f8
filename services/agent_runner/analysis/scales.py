"""How the free words of inventories are read: environments, criticality, sensitivity, lifecycle and power as ranks."""

import re
from collections.abc import Callable
from functools import lru_cache

import polars as pl

# First match wins, so what contains another word ("pre-production", "not critical") stands before it.
_ENVIRONMENTS: list[tuple[str, float]] = [
    (r"non[\s_-]*pro?d", 2),
    (r"pre[\s_-]*pro?d|stag|uat|accept", 3),
    (r"disaster|recovery|\bdr\b", 4),
    (r"pro?d|\blive\b|^p$", 5),
    (r"dev|^d$", 1),
    (r"sandbox|\blab\b|demo|train|\bpoc\b", 0),
    (r"test|\bqa\b|\bsit\b|quality|integration|^[tq]$", 2),
]
_CRITICALITY: list[tuple[str, float]] = [
    (r"(not|non|less)[\s_-]*critical", 0.25),
    (r"somewhat[\s_-]*critical", 0.75),
    (r"critical|very[\s_-]*high|platinum|\btier[\s_-]*[01]\b|^[01]\b", 1.0),
    (r"high|gold|important|essential|\btier[\s_-]*2\b|^2\b", 0.75),
    (r"medium|moderate|silver|normal|\btier[\s_-]*3\b|^3\b", 0.5),
    (r"low|minor|none|bronze|\btier[\s_-]*[45]\b|^[45]\b", 0.25),
]
_SENSITIVITY: list[tuple[str, float]] = [
    (r"unclassified|non[\s_-]*(sensitive|confidential)|public|open", 0.0),
    (r"restrict|secret|highly|strict|export|itar|\bp[ch]i\b|\bpii\b|\bphi\b|\bgdpr\b", 1.0),
    (r"confidential|sensitive|private|personal", 0.75),
    (r"internal", 0.4),
]
_RETIRED = re.compile(
    r"retir|decom|dispos|scrap|remov|absent|obsolete|end[\s_-]*of[\s_-]*life|\beol\b|sunset|phas\w+[\s_-]*out|stolen"
)
_POWERED_OFF = re.compile(r"off|stop|shut|suspend|halt|dealloc|terminat|down")

PRODUCTION = 5
DISASTER_RECOVERY = 4
STAGING = 3
HIGH = 0.75


def _first_match(value: str | None, table: list[tuple[str, float]]) -> float | None:
    folded = (value or "").strip().lower()
    return next((rank for pattern, rank in table if re.search(pattern, folded)), None) if folded else None


@lru_cache(maxsize=4096)
def environment_rank(value: str | None) -> int | None:
    """0 sandbox, 1 development, 2 test, 3 staging, 4 disaster recovery, 5 production; None when it cannot be read."""
    rank = _first_match(value, _ENVIRONMENTS)
    return None if rank is None else int(rank)


@lru_cache(maxsize=4096)
def criticality_level(value: str | None) -> float | None:
    """0.25 low, 0.5 medium, 0.75 high, 1 critical; None when it cannot be read."""
    return _first_match(value, _CRITICALITY)


@lru_cache(maxsize=4096)
def sensitivity_level(value: str | None) -> float | None:
    """Of a data classification: 0 public, 0.4 internal, 0.75 confidential, 1 restricted; None when unreadable."""
    return _first_match(value, _SENSITIVITY)


@lru_cache(maxsize=4096)
def is_retired(status: str | None) -> bool:
    """Whether a lifecycle status says that the thing is gone, or going."""
    return bool(status and _RETIRED.search(status.lower()))


@lru_cache(maxsize=4096)
def is_powered_off(state: str | None) -> bool:
    """Whether a power state says that the machine does not run."""
    return bool(state and _POWERED_OFF.search(state.lower()))


def ranked(column: pl.Series, rank: Callable[[str | None], object], dtype: type[pl.DataType]) -> pl.Series:
    """`rank` of every value, computed once for each different one."""
    different = column.unique().to_list()
    return column.replace_strict(different, [rank(value) for value in different], return_dtype=dtype)
