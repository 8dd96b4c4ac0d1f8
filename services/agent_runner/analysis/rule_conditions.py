"""The conditions that 6R rules are made of, and the sentence parts that their reasons are filled with."""

import re
from datetime import timedelta

from services.agent_runner.analysis.application_facts import ApplicationFacts
from services.agent_runner.analysis.phrases import counted, listed
from services.agent_runner.analysis.scales import HIGH

# Zombie and idle as AWS defines them, of average CPU and memory use. We take the busiest asset's figure.
ZOMBIE_PCT = 5
IDLE_PCT = 20
# Support that ends while a migration programme runs is dealt with in the same move.
SUPPORT_HORIZON_DAYS = 365


def details(f: ApplicationFacts) -> dict[str, str]:
    """The parts of reasons that are more than one fact."""
    ending = f.next_end_of_support
    servers = counted(f.live, "asset")
    return {
        "servers": servers,
        "systems": listed([s.name for s in f.operating_systems]) or "an unknown operating system",
        "unsupported": listed([f"{s.name} (support ended {s.end_of_support})" for s in f.unsupported]),
        "horizon": str(f.today + timedelta(days=SUPPORT_HORIZON_DAYS)),
        "ending": f"{ending.name} (until {ending.end_of_support})" if ending else "",
        "engines": listed(f.engines),
        "use": f"at most {f.cpu_pct or 0:.0f} % CPU and {f.memory_pct or 0:.0f} % memory",
        "platform": listed([*(s.name for s in f.operating_systems if s.family in ("unix", "mainframe")), *f.non_x86]),
        "criticality": f.criticality or "unknown",
        "lifecycle": f"'{f.lifecycle_status}'" if f.lifecycle_status else "unknown",
        "machines": counted(f.virtual, "virtual machine"),
        "affected": "its one asset" if f.live == 1 else f"{f.unsupported_assets} of its {servers}",
        "recorded": listed(f.recorded_treatments),
        "devices": listed(f.devices),
        "recognised": f.replacement.recognised if f.replacement else "",
        "service": f.replacement.service if f.replacement else "",
    }


def important(f: ApplicationFacts) -> bool:
    """Whether its criticality is known to be high."""
    return (f.criticality_level or 0) >= HIGH


def engine(f: ApplicationFacts, *names: str) -> bool:
    """Whether a database engine of it, as written or by its product, has a word that starts with one of `names`.

    They are regular expressions.
    """
    return any(re.search(rf"\b{name}", engine.lower()) for engine in (*f.engines, *f.engine_products) for name in names)


def is_oracle_suite(f: ApplicationFacts) -> bool:
    """Whether its name is that of an Oracle business suite and its database is Oracle."""
    return engine(f, "oracle") and any(
        word in f" {f.name.lower()} " for word in ("e-business", " ebs ", "oracle erp", "jd edwards")
    )


def below(f: ApplicationFacts, percent: float) -> bool:
    """Whether CPU and memory of all its assets are known and below a percentage."""
    return f.cpu_pct is not None and f.memory_pct is not None and f.cpu_pct < percent and f.memory_pct < percent


def support_ends_soon(f: ApplicationFacts) -> bool:
    """Whether one of its operating systems leaves support within the horizon."""
    ending = f.next_end_of_support
    return bool(ending and ending.end_of_support and (ending.end_of_support - f.today).days <= SUPPORT_HORIZON_DAYS)


ENGINES_ELSEWHERE = (
    "sybase",
    r"ase\b",
    "informix",
    "teradata",
    "ingres",
    "netezza",
    "vertica",
    "progress",
    "firebird",
    "foxpro",
    "access",
)
MANAGED_ENGINES = (
    "sql server",
    "sqlserver",
    "mssql",
    "mysql",
    "mariadb",
    "postgres",
    "oracle",
    "db2",
    "mongo",
    "cassandra",
    "redis",
)
