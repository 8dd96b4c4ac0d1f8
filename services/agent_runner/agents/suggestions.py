"""From the tables of an analysis to what an agent is asked, and from its answers back to tables and waves."""

from collections.abc import Sequence
from typing import Any

import polars as pl

from contracts.agents import AgentResult
from contracts.claim_checks import ASSESSMENTS
from contracts.planning import Wave, WaveLimits
from services.agent_runner.agents.comparing import MOST_ASKED
from services.agent_runner.agents.migration_strategist.crew import AGENT as STRATEGIST
from services.agent_runner.agents.migration_strategist.rules import Portfolio
from services.agent_runner.agents.risk_assessor.crew import AGENT as RISK_ASSESSOR
from services.agent_runner.agents.risk_assessor.rules import Moves
from services.agent_runner.agents.wave_planner.rules import Plan
from services.agent_runner.analysis.layouts import conform
from services.agent_runner.analysis.six_r import MOVED
from services.agent_runner.analysis.waves import WavePlan

MOST_NEIGHBOURS = 20
MOST_APPLICATIONS, MOST_TIES = 5000, 20_000
MOST_SUGGESTIONS = 10
MOST_RISKS = 3
# What a model is told of the assets of an application: the values that they have, joined.
_ASSET_TEXTS = ("operating_system_product", "database_engine", "architecture", "server_role", "power_state")
_HIGHEST = ("cpu_utilization_pct", "memory_utilization_pct")
_OF_APPLICATION = ("environment", "criticality", "business_owner", "lifecycle_status", "data_classification")


def portfolio_in_doubt(
    applications: pl.DataFrame, assets: pl.DataFrame, dependencies: pl.DataFrame, decided: pl.DataFrame
) -> Portfolio | None:
    """The applications whose treatments the rules were least sure of, with what is known of them."""
    items = _in_doubt(applications, assets, dependencies, decided, "confidence", STRATEGIST.sure)
    return Portfolio.model_validate({"items": items}) if items else None


def moves_in_doubt(
    applications: pl.DataFrame, assets: pl.DataFrame, dependencies: pl.DataFrame, decided: pl.DataFrame
) -> Moves | None:
    """The applications whose risks stand on the least that is known; what stays or goes risks no move."""
    moving = decided.filter(pl.col("strategy").is_in(sorted(MOVED)))
    items = _in_doubt(applications, assets, dependencies, moving, "risk_confidence", RISK_ASSESSOR.sure)
    return Moves.model_validate({"items": items}) if items else None


def _in_doubt(
    applications: pl.DataFrame,
    assets: pl.DataFrame,
    dependencies: pl.DataFrame,
    decided: pl.DataFrame,
    confidence: str,
    sure: float,
) -> list[dict[str, Any]]:
    doubtful = decided.filter(pl.col(confidence) < sure).sort(confidence, "application_uid").head(MOST_ASKED)
    known = {row["application_uid"]: row for row in applications.iter_rows(named=True)}
    items = []
    for row in doubtful.iter_rows(named=True):
        uid = row["application_uid"]
        application = known.get(uid, {})
        mine = assets.filter(pl.col("asset_uid").is_in(application.get("asset_uids") or []))
        items.append(
            {
                "key": uid,
                "name": row["name"][:300],
                **{name: application.get(name) for name in _OF_APPLICATION},
                **{name: _joined(mine, name) for name in _ASSET_TEXTS},
                **{name: _highest(mine, name) for name in _HIGHEST},
                "assets": min(mine.height, 10_000),
                "uses": _neighbours(dependencies, uid, "source", "target"),
                "used_by": _neighbours(dependencies, uid, "target", "source"),
                "strategy": row["strategy"],
                "confidence": row[confidence],
                **_ruled(row, confidence),
            }
        )
    return items


def _ruled(row: dict[str, Any], confidence: str) -> dict[str, Any]:
    """What the rules said of what is in doubt: the treatment or the risk."""
    if confidence == "confidence":
        return {"reason": row["reason"][:4000]}
    return {"reason": row["risk_reason"][:4000], "risk": row["risk"], "complexity": row["complexity"]}


def _joined(assets: pl.DataFrame, name: str) -> str | None:
    if name not in assets.columns:
        return None
    values = assets[name].drop_nulls().unique().sort().head(5).to_list()
    return "; ".join(map(str, values)) or None


def _highest(assets: pl.DataFrame, name: str) -> float | None:
    if name not in assets.columns:
        return None
    highest = assets[name].max()
    return None if highest is None else min(100.0, max(0.0, float(str(highest))))


def _neighbours(dependencies: pl.DataFrame, uid: str, own: str, other: str) -> list[str]:
    mine = dependencies.filter(pl.col(f"{own}_application_uid") == uid)
    return [name[:300] for name in mine[f"{other}_name"].drop_nulls().unique().sort().head(MOST_NEIGHBOURS)]


def with_suggestions(decided: pl.DataFrame, advice: AgentResult) -> pl.DataFrame:
    """The assessments, each decision as the rules took it, with the treatment that a model would rather give beside."""
    return _beside(decided, advice, "strategy", "suggestion")


def with_risk_suggestions(decided: pl.DataFrame, advice: AgentResult) -> pl.DataFrame:
    """The assessments with the level of risk that a model would rather give beside the rules'."""
    return _beside(decided, advice, "level", "risk_suggestion")


def _beside(decided: pl.DataFrame, advice: AgentResult, decides: str, column: str) -> pl.DataFrame:
    said = {answer["key"]: answer[decides] for answer in _differing(advice)}
    reasons = {answer["key"]: _told(answer, advice) for answer in _differing(advice)}
    uid = pl.col("application_uid")
    rows = decided.with_columns(
        uid.replace_strict(said, default=None, return_dtype=pl.String).alias(column),
        uid.replace_strict(reasons, default=None, return_dtype=pl.String).alias(f"{column}_reason"),
    )
    return conform(rows, ASSESSMENTS)


def plan_in_doubt(
    planned: WavePlan, applications: pl.DataFrame, dependencies: pl.DataFrame, limits: WaveLimits
) -> Plan | None:
    """The plan as the planner takes it; None where no application moves, or more than an agent can look at."""
    if not 0 < planned.plan.height <= MOST_APPLICATIONS:
        return None
    known = {row["application_uid"]: row for row in applications.iter_rows(named=True)}
    names = ("environment", "criticality")
    items = [
        {
            "key": row["application_uid"],
            "name": row["name"][:300],
            "strategy": row["strategy"],
            "risk": row["risk"],
            "assets": row["asset_count"],
            **{name: known.get(row["application_uid"], {}).get(name) for name in names},
            "wave": row["wave"],
            "reason": row["reason"][:4000],
        }
        for row in planned.plan.iter_rows(named=True)
    ]
    ties = [
        {"source": source, "target": target, "kind": kind, "observations": observations}
        for source, target, kind, observations in dependencies.select(
            "source_application_uid", "target_application_uid", "kind", "observations"
        )
        .head(MOST_TIES)
        .iter_rows()
    ]
    return Plan.model_validate({"items": items, "ties": ties, "limits": limits})


def suggested(waves: Sequence[Wave], advice: AgentResult) -> list[Wave]:
    """The waves as the rules made them, each with what a model would rather move elsewhere."""
    names = {
        str(uid): (name, wave.number)
        for wave in waves
        for uid, name in zip(wave.application_ids, wave.application_names, strict=True)
    }
    told: dict[int, list[str]] = {}
    for answer in _differing(advice):
        name, number = names[answer["key"]]
        told.setdefault(number, []).append(f"{name} in wave {answer['wave']}. {_told(answer, advice)}")
    return [wave.model_copy(update={"suggestions": told.get(wave.number, [])[:MOST_SUGGESTIONS]}) for wave in waves]


def with_risks(waves: Sequence[Wave], assessments: pl.DataFrame) -> list[Wave]:
    """The waves, each with what drives the risks of its riskiest applications, and what a model thinks of them."""
    known = {
        row["application_uid"]: row
        for row in conform(assessments, ASSESSMENTS)
        .filter(pl.col("risk_level").is_not_null())
        .select("application_uid", "risk", "risk_level", "risk_reason", "risk_suggestion", "risk_suggestion_reason")
        .iter_rows(named=True)
    }
    return [wave.model_copy(update={"risks": _risks(wave, known)}) for wave in waves]


def _risks(wave: Wave, known: dict[str, dict[str, Any]]) -> list[str]:
    named = zip(map(str, wave.application_ids), wave.application_names, strict=True)
    rows = [(name, known[uid]) for uid, name in named if uid in known]
    # What a model judges otherwise is shown in any case; of the others those that could go most wrong.
    worth = [row for row in rows if row[1]["risk_suggestion"] or row[1]["risk_level"] != "low"]
    worth.sort(key=lambda row: (row[1]["risk_suggestion"] is None, -row[1]["risk"], row[0]))
    return [_risk_told(name, row) for name, row in worth[:MOST_RISKS]]


def _risk_told(name: str, row: dict[str, Any]) -> str:
    told = f"{name}: {row['risk_level']} risk ({row['risk']:.2f}). {row['risk_reason']}"
    if row["risk_suggestion"]:
        told += f" Suggested: {row['risk_suggestion']}. {row['risk_suggestion_reason']}"
    return told


def _differing(advice: AgentResult) -> list[dict[str, Any]]:
    """The model's answers where the rules have another one."""
    overruled = {answer["key"] for answer in (advice.rules_output or {}).get("answers", ())}
    return [answer for answer in advice.output["answers"] if answer["key"] in overruled]


def _told(answer: dict[str, Any], advice: AgentResult) -> str:
    return (
        f"{answer['rationale']} ({advice.model}, prompts {advice.prompt_version}, sure to {answer['confidence']:.0%})"
    )
