"""What may need somebody's attention, whatever it is about: one word each, and what it means in plain words."""

from typing import TYPE_CHECKING, Final, Literal

MEANS: Final = {
    "decision": "A person must decide, or look.",
    "unknown_outcome": "Something was sent, and nobody has said what became of it.",
    "not_sent": "Something could not be sent; nothing has left.",
    "posting": "The money has moved, and the core bank has not booked it.",
    "waiting_funds": "A payment waits, because the lender's wallet holds too little.",
    "not_started": "A payment was asked for, and its saga has not begun.",
    "connection": "Nothing can be sent through a connection.",
    "approval": "An act waits for other people to agree.",
    "message": "A message did not reach its receiver.",
    "delivery": "A provider's message has not reached its saga.",
    "schedule": "What should run by the clock did not.",
}

if TYPE_CHECKING:
    Problem = str
else:  # a closed list where input is checked, whose members are data
    Problem = Literal[tuple(MEANS)]
