"""One of the 6 Rs for every application, by the rule table, with its reason, confidence, risk and complexity."""

from dataclasses import dataclass, replace
from datetime import date

import polars as pl

from contracts.assessment import SixR
from contracts.claim_checks import APPLICATIONS, ASSESSMENTS, ASSETS, DEPENDENCIES
from services.agent_runner.analysis.application_facts import ApplicationFacts, gather_facts
from services.agent_runner.analysis.layouts import conform, schema_of
from services.agent_runner.analysis.risk import complexity_of, level_of, risk_confidence, risk_of, risk_reason
from services.agent_runner.analysis.rule_conditions import details
from services.agent_runner.analysis.six_r_rules import RULES
from services.agent_runner.analysis.treatment_rule import Rule

MOVED: frozenset[SixR] = frozenset({"rehost", "replatform", "refactor", "repurchase"})
# A rule's confidence falls by up to this share when none of the facts that it weighs is known.
_MISSING_DATA_SHARE = 0.4
_BOUND_CONFIDENCE = 0.5


@dataclass(frozen=True)
class Verdict:
    """What the rules decide about one application; `confidence` is 0 to 1."""

    treatment: SixR
    rule: str
    confidence: float
    reason: str
    binds: bool


def assess(assets: pl.DataFrame, applications: pl.DataFrame, dependencies: pl.DataFrame, today: date) -> pl.DataFrame:
    """Decide a treatment for every application.

    Takes the layouts ASSETS, APPLICATIONS and DEPENDENCIES, returns ASSESSMENTS, sorted by application id. Support of
    operating systems is judged at `today`. What shares an asset with an application that has to stay, stays too (one
    step only: a chain of shared assets is a matter for a person).
    """
    dependencies = conform(dependencies, DEPENDENCIES)
    facts = gather_facts(conform(assets, ASSETS), conform(applications, APPLICATIONS), dependencies, today)
    verdicts = {fact.application_uid: decide(fact) for fact in facts}
    bound = _bound(dependencies, verdicts)
    rows = []
    for fact in facts:
        verdict = bound.get(fact.application_uid, verdicts[fact.application_uid])
        rows.append(
            {
                "application_uid": fact.application_uid,
                "name": fact.name,
                "strategy": verdict.treatment,
                "confidence": verdict.confidence,
                "rule": verdict.rule,
                "reason": verdict.reason,
                "risk": (risk := risk_of(fact, verdict.treatment)),
                "risk_level": level_of(risk),
                "risk_confidence": risk_confidence(fact),
                "risk_reason": risk_reason(fact),
                "complexity": complexity_of(fact, verdict.treatment),
                "engine": "rules",
            }
        )
    return pl.DataFrame(rows, schema=schema_of(ASSESSMENTS))


def decide(facts: ApplicationFacts) -> Verdict:
    """The verdict of the first rule that applies to one application."""
    rule = next(rule for rule in RULES if rule.applies(facts))
    missing = [fact for fact in rule.weighs if not facts.known[fact]]
    confidence = rule.confidence * (1 - _MISSING_DATA_SHARE * len(missing) / max(1, len(rule.weighs)))
    reason = rule.reason.format(f=facts, **details(facts))
    if missing:
        reason += f" Not known, or not of every asset: {', '.join(missing)}; the confidence is lower for that."
    return Verdict(_treatment(rule, facts), rule.id, round(confidence, 3), reason, rule.binds)


def _treatment(rule: Rule, facts: ApplicationFacts) -> SixR:
    return facts.recorded_treatments[0] if rule.treatment == "as_recorded" else rule.treatment


def _bound(dependencies: pl.DataFrame, verdicts: dict[str, Verdict]) -> dict[str, Verdict]:
    """The verdicts that change because an asset is shared with an application that has to stay."""
    changed: dict[str, Verdict] = {}
    shared = dependencies.filter(pl.col("kind") == "shared_asset").sort(
        "source_name", "target_name", "source_application_uid"
    )
    for row in shared.iter_rows(named=True):
        ends = ("source", "target"), ("target", "source")
        for mover, stayer in ends:
            moves, stays = verdicts.get(row[f"{mover}_application_uid"]), verdicts.get(row[f"{stayer}_application_uid"])
            if moves and stays and moves.treatment in MOVED - {"repurchase"} and stays.binds:
                uid = row[f"{mover}_application_uid"]
                reason = (
                    f"{row[f'{mover}_name']} cannot leave before {row[f'{stayer}_name']}, which stays: "
                    f"{row['evidence']}. "
                    f"On its own: {moves.reason}"
                )
                changed.setdefault(
                    uid,
                    replace(
                        moves, treatment="retain", rule="bound_to_retained", confidence=_BOUND_CONFIDENCE, reason=reason
                    ),
                )
    return changed
