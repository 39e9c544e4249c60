"""Rules of intake: what happens to a ticket when something happens to it, or when time has passed. Pure."""

from services.intake.domain.rules.book import RuleBook
from services.intake.domain.rules.chain import Ground, follow
from services.intake.domain.rules.document import RuleSet

__all__ = ["Ground", "RuleBook", "RuleSet", "follow"]
