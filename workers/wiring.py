"""Puts a worker process together: clients, activities, queues. The one place where everything is constructed."""

from dataclasses import dataclass
from datetime import timedelta

from temporalio.client import Client
from temporalio.common import WorkerDeploymentVersion
from temporalio.worker import Worker, WorkerDeploymentConfig

from activities.clients.connections import Connections
from activities.clients.partner_connections import PartnerConnections
from activities.heartbeats import Heartbeats
from activities.lending.customer_collection import CustomerPayments
from activities.lending.float_purchase import FloatPurchases
from activities.lending.loan_disbursement import Disbursements
from activities.lending.loans import Loans
from activities.lending.wallet_top_up import TopUps
from activities.saga.bank_payments import BankPayments
from activities.saga.decisions import Decisions
from activities.saga.payouts import CallbackUrls, Payouts
from activities.saga.prompts import Prompts
from activities.saga.records import Records
from activities.scheduled.loan_watch import LoanWatching
from activities.scheduled.payment_watch import PaymentWatching
from activities.scheduled.retention import Retaining
from activities.scheduled.statement_watch import StatementWatching
from activities.scheduled.sweeps import Sweeps
from activities.translate import ErrorTranslation
from core.crypto import CallbackSigner, CodeHasher, CredentialBox
from core.settings import Settings
from store.database import Database
from temporal.queues import BANK_QUEUE, FINERACT_QUEUE, FLOWS_QUEUE, MPESA_QUEUE
from workers.sandbox import runner
from workflows.connections.partner_connections import (
    BalanceInquiry,
    ConnectionCheck,
    LoanProductSync,
    PaybillRegistration,
)
from workflows.lending.customer_collection import CustomerCollection
from workflows.lending.float_purchase import FloatPurchase
from workflows.lending.loan_disbursement import LoanDisbursement
from workflows.lending.wallet_top_up import WalletTopUp
from workflows.scheduled.housekeeping import BooksCheck, Retention, Sweep
from workflows.scheduled.loan_watch import LoanLook, LoanWatch
from workflows.scheduled.payment_watch import AccountCheck, BankStatementPull, PaymentNotice, PaymentPull

WORKFLOWS = [
    LoanDisbursement, CustomerCollection, WalletTopUp, FloatPurchase,
    LoanWatch, LoanLook, PaymentPull, BankStatementPull, AccountCheck, PaymentNotice, ConnectionCheck, LoanProductSync,
    BalanceInquiry, PaybillRegistration, Sweep, BooksCheck, Retention,
]  # fmt: skip


@dataclass
class WorkerSet:
    """The workers of one process and what they share."""

    workers: list[Worker]
    connections: Connections

    async def close(self) -> None:
        await self.connections.close()


def build_workers(settings: Settings, client: Client, database: Database) -> WorkerSet:
    """One worker per queue of `settings.worker.queues`."""
    security = settings.security
    box = CredentialBox([key.get_secret_value() for key in security.credential_keys])
    signer = CallbackSigner([secret.get_secret_value() for secret in security.callback_secrets])
    connections = Connections(database, box, settings.dialling_rules())
    grace = timedelta(seconds=settings.worker.graceful_shutdown_seconds)
    # Without a build id of ours the SDK would hash every loaded module at each start, which takes more than a second.
    deployment = WorkerDeploymentConfig(
        WorkerDeploymentVersion("kivuko", settings.worker.build_id), use_worker_versioning=False
    )
    limit = settings.worker.max_concurrent_activities

    top_up_url = settings.notices.top_up_url
    disbursements = Disbursements(database, top_up_url)
    sweeps = Sweeps(database, client, box)
    retaining = Retaining(database, settings.retention)
    secrets = [secret.get_secret_value() for secret in security.callback_secrets]
    urls = CallbackUrls(settings.callbacks.base_url, signer)
    recovery = tuple(settings.recovery.windows)
    payouts = Payouts(database, connections, urls, recovery)
    bank = BankPayments(database, connections, recovery)
    prompts = Prompts(database, connections, urls, recovery)
    records = Records(database)
    decisions = Decisions(database)
    top_ups = TopUps(database, client, top_up_url)
    floats = FloatPurchases(database, CodeHasher(secrets), box, top_up_url)
    customers = CustomerPayments(database, connections)
    payments = PaymentWatching(database, connections, client)
    statements = StatementWatching(database, connections, client)
    loans = Loans(database, connections, top_up_url)
    watching = LoanWatching(database, connections, client)
    checks = PartnerConnections(database, connections, urls)

    workers = {
        "flows": lambda: Worker(
            client,
            task_queue=FLOWS_QUEUE,
            workflows=WORKFLOWS,
            activities=[
                disbursements.settle, disbursements.release, sweeps.sweep, sweeps.check_books,
                retaining.erase, records.record, decisions.read, decisions.record, top_ups.credit, top_ups.end,
                floats.hold_costs, floats.send_code, floats.check_confirmation, floats.record_move, floats.settle,
                floats.end, customers.claim, customers.end,
            ],
            workflow_runner=runner(),
            interceptors=[ErrorTranslation(), Heartbeats()],
            max_concurrent_activities=limit,
            max_cached_workflows=settings.worker.max_cached_workflows,
            graceful_shutdown_timeout=grace,
            deployment_config=deployment,
        ),
        # No workflows on the provider queues: an activity started eagerly would bypass the queue's rate limit.
        "mpesa": lambda: Worker(
            client,
            task_queue=MPESA_QUEUE,
            activities=[
                payouts.send, payouts.ask_status, payouts.ask_balance, prompts.send, prompts.query, payments.pull,
                checks.register_paybill,
            ],
            interceptors=[ErrorTranslation(), Heartbeats()],
            max_concurrent_activities=limit,
            max_task_queue_activities_per_second=settings.worker.mpesa_calls_per_second,
            disable_eager_activity_execution=True,
            graceful_shutdown_timeout=grace,
            deployment_config=deployment,
        ),
        "bank": lambda: Worker(
            client,
            task_queue=BANK_QUEUE,
            activities=[bank.send, bank.ask_status, prompts.send, prompts.query, statements.pull],
            interceptors=[ErrorTranslation(), Heartbeats()],
            max_concurrent_activities=limit,
            disable_eager_activity_execution=True,
            graceful_shutdown_timeout=grace,
            deployment_config=deployment,
        ),
        "fineract": lambda: Worker(
            client,
            task_queue=FINERACT_QUEUE,
            activities=[
                loans.reserve, loans.recheck, loans.post, watching.watch, watching.look, watching.sync_products, checks.check,
                customers.look, customers.identify, customers.post_part, customers.settle, payments.check_account,
                payments.tell_recorded,
            ],
            interceptors=[ErrorTranslation(), Heartbeats()],
            max_concurrent_activities=limit,
            disable_eager_activity_execution=True,
            graceful_shutdown_timeout=grace,
            deployment_config=deployment,
        ),
    }  # fmt: skip
    return WorkerSet([workers[queue]() for queue in settings.worker.queues], connections)
