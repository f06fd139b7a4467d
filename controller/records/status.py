"""What the centre's record statuses mean for printing (field.md A1): only PRINT_READY_RECORD may be printed."""

from __future__ import annotations

from controller.errors import Problem
from controller.records.refusals import problem

PRINT_READY = "PRINT_READY_RECORD"

REFUSED_STATUSES = {  # status of the centre -> row of refusals
    "UNREGISTERED": "status.unregistered",
    "BIO_CAPTURED": "status.captured",
    "PROCESSING": "status.captured",
    "SENT_FOR_ENROLLMENT": "status.sent_for_enrollment",
    "RECEIVED_AT_CENTRAL": "status.received_at_central",
    "ENROLL_FAILURE_AT_CENTRAL": "status.enroll_failure",
    "ENROLL_FAILURE_AT_REGIONAL": "status.enroll_failure",
    "SEARCH_FAILURE_AT_CENTRAL": "status.search_failure",
    "ADJUDICATE_RECORD": "status.adjudicate",
    "DUPLICATE_RECORD": "status.duplicate",
    "SENT_FOR_CARD_PRINTING": "status.card_printing",
    "CARD_PRINTED": "status.card_printed",
    "CARD_SHIPPED": "status.card_printed",
    "CARD_ISSUED": "status.card_printed",
}


def status_problem(status: str) -> Problem | None:
    """Why a record of this status may not be printed, and the next step; None when it may."""
    if status == PRINT_READY:
        return None
    return problem(REFUSED_STATUSES.get(status, "status.unknown"), "status")
