"""The 6R rule table: ordered, the first rule whose condition holds decides, and each says where it comes from."""

from services.agent_runner.analysis.disposition_rules import DISPOSITION_RULES
from services.agent_runner.analysis.migration_rules import MIGRATION_RULES
from services.agent_runner.analysis.treatment_rule import Rule

RULES: tuple[Rule, ...] = (*DISPOSITION_RULES, *MIGRATION_RULES)
