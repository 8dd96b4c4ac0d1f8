"""All mutants by name."""

from tests.chaos import flow_mutants, message_mutants
from tests.chaos.seeding import SEEDED

__all__ = ["MUTANTS", "flow_mutants", "message_mutants"]

MUTANTS = SEEDED
