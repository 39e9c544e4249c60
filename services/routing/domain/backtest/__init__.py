"""What other rules would have done with what really came: the past replayed with the code that decides. Pure."""

from services.routing.domain.backtest.course import Passage, moment_in
from services.routing.domain.backtest.figures import Backtest, Figures, Played, compare, play
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
from services.routing.domain.backtest.replay import Replayed
from services.routing.domain.backtest.script import Script, script_of

__all__ = [
    "AgentMoment",
    "AgentThen",
    "Backtest",
    "Figures",
    "Handed",
    "Line",
    "Material",
    "Passage",
    "PastTicket",
    "Played",
    "Replayed",
    "Script",
    "Setting",
    "compare",
    "moment_in",
    "play",
    "read_material",
    "script_of",
]
