"""What if: a scenario is played by the code that decides in the live service, in memory and without a clock."""

from services.routing.domain.simulation.play import simulate
from services.routing.domain.simulation.scenario import Scenario
from services.routing.domain.simulation.telling import Outcome

__all__ = ["Outcome", "Scenario", "simulate"]
