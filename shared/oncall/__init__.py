"""Who is on call: rotas with layers, rotations, restrictions and overrides, as pure values and arithmetic.

The sla service writes rotas and pages by them; the query service shows them. Both ask the same functions:

    rota = parse_rota(document)                       # refuses what could never work, naming fields
    history = RotaHistory(versions, overrides)        # every version, so that the past stays as it was
    history.spans(start, end)                         # who, from when to when, through which layer
    history.on_call(at)                               # one instant, with until when and who is next
    survey(rota, start)                               # gaps and overlaps of the coming year, with the first
"""

from shared.oncall.history import OnCall, Override, RotaHistory, RotaVersion
from shared.oncall.parsing import InvalidRota, parse_rota
from shared.oncall.rota import WEEKDAYS, Layer, Rota, Rotation
from shared.oncall.spans import Span
from shared.oncall.survey import Finding, Survey, survey

__all__ = [
    "WEEKDAYS",
    "Finding",
    "InvalidRota",
    "Layer",
    "OnCall",
    "Override",
    "Rota",
    "RotaHistory",
    "RotaVersion",
    "Rotation",
    "Span",
    "Survey",
    "parse_rota",
    "survey",
]
