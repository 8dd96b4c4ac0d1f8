"""What a 6R rule is, and the published guidance that the rules come from."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from contracts.assessment import SixR
from services.agent_runner.analysis.application_facts import ApplicationFacts

AWS_7R = "AWS Prescriptive Guidance, Guide for AWS large migrations: About the migration strategies"
AWS_TREE = "AWS MigOps guidance, Portfolio assessment: 7R disposition tree and 7R workshop"
AWS_ORACLE = "AWS Prescriptive Guidance, Strategy for Oracle homogeneous database migration: planning"
AZURE_CAF = "Microsoft Cloud Adoption Framework: Select your cloud migration strategies"
GARTNER = "Gartner, Migrating Applications to the Cloud: Rehost, Refactor, Revise, Rebuild, or Replace? (2010)"


@dataclass(frozen=True)
class Rule:
    """One row of the table.

    `reason` is a format string over the application's facts `f` and the sentence parts of `details`. `weighs` names the
    facts (keys of `ApplicationFacts.known`) whose absence lowers the confidence. `binds` says that what shares an asset
    with such an application cannot leave either.
    """

    id: str
    condition: str
    applies: Callable[[ApplicationFacts], bool]
    treatment: SixR | Literal["as_recorded"]
    confidence: float
    reason: str
    source: str
    weighs: tuple[str, ...] = ()
    binds: bool = False
