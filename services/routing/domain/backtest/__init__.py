"""What other rules would have done with what really came: the past replayed with the code that decides. Pure."""

from services.routing.domain.backtest.figures import Backtest, Figures, backtest
from services.routing.domain.backtest.material import (
    AgentMoment,
    AgentThen,
    Handed,
    Line,
    Material,
    PastTicket,
    Setting,
    read_material,
)

__all__ = [
    "AgentMoment",
    "AgentThen",
    "Backtest",
    "Figures",
    "Handed",
    "Line",
    "Material",
    "PastTicket",
    "Setting",
    "backtest",
    "read_material",
]
