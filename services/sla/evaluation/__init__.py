"""The arithmetic for anyone: calendars and whole timelines judged as asked, by the code of the live service.

Nothing is read or stored. HTTP and the command line both answer through here: `answer_line` for a
line of NDJSON, `answer_calendar` and `answer_timeline` for a question already read.
"""

from services.sla.evaluation.calendars import CalendarQuestion, answer_calendar
from services.sla.evaluation.lines import answer_line, refused_line
from services.sla.evaluation.timelines import TimelineQuestion, answer_timeline

__all__ = [
    "CalendarQuestion",
    "TimelineQuestion",
    "answer_calendar",
    "answer_line",
    "answer_timeline",
    "refused_line",
]
