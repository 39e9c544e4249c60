"""What other promises would have come to: recorded tickets judged once more, read-only, by the live engine.

Two uses: a draft tried on the last days (`ticketing sla backtest`), and a second, labelled judgement
beside the first (`ticketing sla judge-again`). The tickets come from the log itself, so nothing that
happened is missing; the work is done in a process of its own, so no deadline waits for it.
"""

from services.sla.backtest.question import DAYS_MAX, SHOWN_MAX, Question, Trial, read_trial
from services.sla.backtest.running import Busy, Runner

__all__ = ["DAYS_MAX", "SHOWN_MAX", "Busy", "Question", "Runner", "Trial", "read_trial"]
