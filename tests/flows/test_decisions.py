"""A decision is a row (docs/ARCHITECTURE.md): what anybody can send to Temporal decides nothing."""

from typing import Any

import pytest
from sqlmodel import select
from temporalio.client import Client, WorkflowUpdateFailedError

from core.ids import DECISION, new_id
from models.messages.payouts import Verdict
from models.messages.sagas import SagaStatus
from models.tables.disbursements import Case, PayoutAttempt
from models.tables.collections import Prompt
from tests.flows.test_float_doubts import age_attempts, silence
from tests.flows.test_prompts_in_doubt import SOON, lose
from tests.flows.test_top_up_prompts import asked
from tests.flows.test_unallocated_credits import unallocated
from tests.support.deciding import decided, person_of, send
from tests.support.house import House
from tests.support.money_in import MoneyDesk

KINDS = ["loan", "collection", "top-up", "float"]
