"""Settings by environment: `KIVUKO_` and nested names with `__` (`KIVUKO_DATABASE__URL`). `.env` is read too.

Every default is right for the local stack; production sets its own keys (the sample keys below are refused there).
The connection to Temporal is Temporal's own (`TEMPORAL_ADDRESS`, `TEMPORAL_API_KEY`, TLS …, or a TOML profile), read by
`temporalio.envconfig` in `temporal/client.py`.
"""

import re
from datetime import timedelta
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Literal, Self
from zoneinfo import available_timezones

from pydantic import BaseModel, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from core.addresses import DiallingRules
from core.production import SAMPLES, misspelt, problems
from core.recovery import RecoveryWindow

# Known to everyone who reads this file: good enough for a demo on loopback, refused in production.
_SAMPLE_FERNET, _SAMPLE_AES, _SAMPLE_HMAC, _SAMPLE_REPORT, _SAMPLE_SEARCH = SAMPLES


class Database(BaseModel):
    """PostgreSQL. `url` is a libpq URL; the local stack puts a socket of its embedded server here."""

    url: str = "postgresql://postgres@/kivuko?host=.kivuko/run"
    pool_size: int = Field(default=10, ge=1, le=200)
    statement_timeout_ms: int = Field(default=15_000, ge=100)


class Security(BaseModel):
    """Keys. Each list's first member seals or signs, the others still open, so rotation is: put a new one in front."""

    credential_keys: list[SecretStr] = [SecretStr(_SAMPLE_FERNET)]
    payload_keys: dict[str, SecretStr] = {"local-1": SecretStr(_SAMPLE_AES)}
    payload_key_active: str = "local-1"
    callback_secrets: list[SecretStr] = [SecretStr(_SAMPLE_HMAC)]
    # By which phones and names are hashed, so that they are found and not read. After a change: `kivuko db fill-search`.
    search_keys: list[SecretStr] = [SecretStr(_SAMPLE_SEARCH)]
    # None: a fresh one is written to `.kivuko/admin.key` by `kivuko up`. Only its hash is kept in the database.
    bootstrap_admin_key: SecretStr | None = None


class Api(BaseModel):
    """The front door."""

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65535)
    max_body_bytes: int = Field(default=256 * 1024, ge=1024)
    max_wait_seconds: float = Field(default=30.0, ge=0, le=120)
    # How long a check of M-Pesa credentials waits for the answer about the short code's balance.
    balance_within_seconds: float = Field(default=8.0, ge=0, le=14)
    # Per API key and process; a short burst of a sixth of it is let through.
    rate_per_minute: int = Field(default=1200, ge=1)
    # Wrong keys that one source may try a minute, in each process; a network of a /64 counts as one source.
    wrong_keys_per_minute: int = Field(default=20, ge=1)
    # A request's body must have come after so long, however slowly it drips.
    body_seconds: float = Field(default=15.0, gt=0, le=120)
    # Wrong one-time codes, across all purchases, after which one person or one partner confirms nothing for a while.
    wrong_codes_at_most: int = Field(default=10, ge=1)
    wrong_codes_within_hours: int = Field(default=24, ge=1)


class Callbacks(BaseModel):
    """How providers reach us, and whom we believe."""

    base_url: str = "http://127.0.0.1:8000"
    # Empty: any address. In production the providers' egress addresses; behind a proxy, set `trusted_proxies` too.
    allowed_sources: list[str] = []
    # The same for banks' pushes, which come from other addresses than M-Pesa's callbacks.
    allowed_bank_sources: list[str] = []
    # M-Pesa waits about eight seconds for the answer to a validation; what is not known by then is accepted.
    validation_seconds: float = Field(default=4.0, gt=0, le=7)
    trusted_proxies: list[str] = []
    # What only hints at something (hooks, validation questions), per secret address and process; bursts of a sixth of it.
    hints_per_minute: int = Field(default=1200, ge=1)
    # How many messages one process reads and delivers at once, of all partners and of one, and how many of one may wait
    # for that; the sweep takes what is more.
    deliveries_at_once: int = Field(default=8, ge=1)
    deliveries_per_partner: int = Field(default=3, ge=1)
    deliveries_waiting: int = Field(default=1000, ge=1)


class Dialling(BaseModel):
    """Which addresses a partner's connection may lead to beyond the public internet's HTTPS; see `core/addresses.py`."""

    # Networks or host names, with a port or without: `10.20.0.0/16`, `fineract.lender.example:9443`, `[fd12::/16]:8443`.
    allowed_networks: list[str] = []
    # Of public addresses.
    ports: list[int] = [443, 8443]
    # Of one answer, decompressed.
    max_answer_bytes: int = Field(default=1024 * 1024, ge=16 * 1024)


class Codec(BaseModel):
    """Temporal's UI, which opens sealed payloads by asking the API from a browser."""

    # Pages that may ask, such as `https://temporal.lender.example`; empty: the local stack's UI, outside production.
    origins: list[str] = []
    # The secret part of an address for a UI that sends no key (`/codec/by/<secret>`); `kivuko up` makes one. Empty: a key.
    address_secret: SecretStr | None = None


class OpenId(BaseModel):
    """An identity provider by which people may sign in (OpenID Connect, code flow with PKCE). Whom it knows by a verified
    email address comes in, if that person was added here. It asks for second factors itself."""

    # Such as https://accounts.example.com, exactly as its own document says; empty: nobody signs in so.
    issuer: str = ""
    client_id: str = ""
    client_secret: SecretStr | None = None
    # What the button calls it.
    name: str = Field(default="", max_length=40)


class Console(BaseModel):
    """The pages at `/console`, and how people sign in to them."""

    # How a browser reaches us, for the links of invitations; empty: as providers do (`callbacks.base_url`).
    base_url: str = ""
    # Temporal's UI, to which a payment's page links. Empty: the local stack's, outside production; else there is no link.
    temporal_url: str = ""
    # A session ends after so long without use, and in any case after so long.
    idle_minutes: int = Field(default=60, ge=5, le=24 * 60)
    session_hours: int = Field(default=12, ge=1, le=24 * 7)
    # For so long an invitation works.
    invitation_hours: int = Field(default=72, ge=1, le=24 * 14)
    openid: OpenId = OpenId()


class Metrics(BaseModel):
    """`/metrics` is given to an admin key or to this token; with a port of its own, to whoever reaches that port."""

    token: SecretStr | None = None
    host: str = "127.0.0.1"
    port: int | None = Field(default=None, ge=1, le=65535)


class Retention(BaseModel):
    """For how many days personal data are kept beside the books, which keep amounts, receipts, references and ids."""

    # Whole bodies of webhooks and the reports read from them.
    bodies_days: int = Field(default=180, ge=7)
    # Calls to providers.
    exchanges_days: int = Field(default=395, ge=7)
    # Texts and receivers of messages to people.
    messages_days: int = Field(default=395, ge=7)
    # Phones and names of payers and of clients of loans, once a payment has ended.
    payers_days: int = Field(default=395, ge=7)
    # Answers to repeated requests; later the natural key answers.
    idempotency_days: int = Field(default=30, ge=2)


class Addresses(BaseModel):
    """Secret addresses at which providers and core-banking systems call us."""

    # For so long an address goes on working beside the one that replaced it.
    grace_hours: int = Field(default=48, ge=0, le=24 * 31)


class Vetted(BaseModel):
    """Servers (`host` or `host:port`) at which partners may prove connections of their own; the platform vets more at
    `/api/v1/vetted-addresses`. Safaricom's sandbox is not among them: its short codes are everybody's."""

    fineract: list[str] = []
    daraja: list[str] = ["api.safaricom.co.ke"]


class Simulators(BaseModel):
    """Where the local simulators listen."""

    host: str = "127.0.0.1"
    port: int = Field(default=9000, ge=1, le=65535)
    smtp_port: int = Field(default=9025, ge=1, le=65535)
    seed: int = 1


class Temporal(BaseModel):
    """What of Temporal is ours to choose; the address and its credentials come from Temporal's own configuration."""

    port: int = Field(default=7233, ge=1, le=65535)
    ui_port: int = Field(default=8233, ge=1, le=65535)
    namespace: str = "default"
    # The local server forgets closed sagas after this; the books in PostgreSQL keep them for ever.
    retention_days: int = Field(default=90, ge=1)


class Email(BaseModel):
    """The SMTP server that sends our mail."""

    host: str = "127.0.0.1"
    port: int = Field(default=9025, ge=1, le=65535)
    username: str | None = None
    password: SecretStr | None = None
    tls: Literal["none", "starttls", "implicit"] = "none"
    sender: str = "Kivuko <no-reply@kivuko.example>"


class SmsGateway(BaseModel):
    """One SMS gateway; `dialect` matters for Damza alone (its vendor documents none; see sms_email facts)."""

    base_url: str
    username: str = "kivuko"
    api_key: SecretStr = SecretStr("local-demo")
    sender_id: str = "KIVUKO"
    dialect: Literal["panel", "airtouch", ""] = ""
    ca_pem: str | None = None


class DamzaGateway(SmsGateway):
    """Damza. Its defaults are its own, so that one changed member leaves the others alone."""

    base_url: str = "http://127.0.0.1:9000/damza"
    dialect: Literal["panel", "airtouch", ""] = "panel"


class AfricasTalkingGateway(SmsGateway):
    """Africa's Talking."""

    base_url: str = "http://127.0.0.1:9000/africastalking"


class Sms(BaseModel):
    """The two gateways: the first is tried first, the second takes what the first refuses or cannot take."""

    damza: DamzaGateway = DamzaGateway()
    africastalking: AfricasTalkingGateway = AfricasTalkingGateway()
    # The secret part of the address that gateways post delivery reports to: `/cb/sms/<secret>/africastalking`.
    report_secret: SecretStr = SecretStr(_SAMPLE_REPORT)
    # Who may post them; empty: any address.
    report_sources: list[str] = []
    # Without a final report for so long, a message counts as silent; a failure told later leads to no other try.
    silent_after_seconds: int = Field(default=86_400, ge=60)

    @property
    def silent_after(self) -> timedelta:
        return timedelta(seconds=self.silent_after_seconds)

    @field_validator("report_secret")
    @classmethod
    def _fits_an_address(cls, secret: SecretStr) -> SecretStr:
        if not re.fullmatch(r"[A-Za-z0-9_-]{16,128}", secret.get_secret_value()):
            raise ValueError("the report secret is 16 to 128 letters, digits, - and _, since it is part of an address")
        return secret


class Notices(BaseModel):
    """What messages to partners say beyond their facts."""

    # Where a partner tops its wallet up; `{partner_id}` in it becomes the partner's id. Empty: messages name no address.
    top_up_url: str = ""

    @field_validator("top_up_url")
    @classmethod
    def _is_an_address(cls, url: str) -> str:
        if url and not re.fullmatch(r"https?://[!-z|~]+", url.replace("{partner_id}", "prt")):
            raise ValueError(
                "the top-up address begins with https:// and holds no blanks and no braces but {partner_id}"
            )
        return url


class Reports(BaseModel):
    """Reports of all partners together."""

    # Whose days they count (IANA); a report of one partner counts that partner's.
    timezone: str = "Africa/Nairobi"

    @field_validator("timezone")
    @classmethod
    def _is_known(cls, zone: str) -> str:
        if zone not in available_timezones():
            raise ValueError("the time zone of reports is a name of the IANA database, such as Africa/Nairobi")
        return zone


def installed_version() -> str:
    """Of this software; "not-installed" where it runs from a checkout."""
    try:
        return version("kivuko")
    except PackageNotFoundError:
        return "not-installed"  # run from a checkout


class Recovery(BaseModel):
    """Set by whoever restores the database to an earlier moment, before anything is started again."""

    windows: list[RecoveryWindow] = []


class Worker(BaseModel):
    """One worker process."""

    # Words of temporal/queues.py; none stands for all.
    queues: list[str] = []
    max_concurrent_activities: int = Field(default=50, ge=1)
    max_cached_workflows: int = Field(default=1000, ge=0)
    # Whether workflow code runs in Temporal's sandbox. Code that has passed the tests may run without.
    sandbox: bool = True
    graceful_shutdown_seconds: float = Field(default=40.0, ge=0)
    # By queue, for all workers together: what its provider's limits allow.
    calls_per_second: dict[str, Annotated[float, Field(gt=0)]] = {"mpesa": 20.0}
    # Which code runs, as the Temporal UI shows it beside each workflow task: an image tag or a commit.
    build_id: str = Field(default_factory=installed_version, min_length=1)


class Settings(BaseSettings):
    """Everything that may differ between two installations."""

    model_config = SettingsConfigDict(
        env_prefix="KIVUKO_", env_nested_delimiter="__", env_file=".env", env_ignore_empty=True, extra="ignore",
        hide_input_in_errors=True,  # an error at the start goes to a log, and may be about a secret
    )  # fmt: skip

    environment: Literal["local", "test", "production"] = "local"
    data_dir: Path = Path(".kivuko")
    log_format: Literal["console", "json"] = "console"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    database: Database = Database()
    security: Security = Security()
    api: Api = Api()
    callbacks: Callbacks = Callbacks()
    temporal: Temporal = Temporal()
    simulators: Simulators = Simulators()
    email: Email = Email()
    sms: Sms = Sms()
    notices: Notices = Notices()
    reports: Reports = Reports()
    vetted: Vetted = Vetted()
    worker: Worker = Worker()
    recovery: Recovery = Recovery()
    dialling: Dialling = Dialling()
    codec: Codec = Codec()
    console: Console = Console()
    metrics: Metrics = Metrics()
    retention: Retention = Retention()
    addresses: Addresses = Addresses()

    @model_validator(mode="after")
    def _fit_to_start(self) -> Self:
        """Everything that is wrong is listed at once: an operator mends one file once."""
        wrong = misspelt(self)
        if self.environment == "production":
            wrong += problems(self)
        if wrong:
            lines = "".join(f"\n  - {line}" for line in wrong)
            raise ValueError(f"Kivuko does not start with these settings:{lines}")
        return self

    def dialling_rules(self) -> DiallingRules:
        """Which addresses partners' connections may lead to; on a developer's machine also to that machine itself."""
        return DiallingRules.of(
            self.dialling.allowed_networks,
            ports=self.dialling.ports,
            development=self.environment != "production",
            most_bytes=self.dialling.max_answer_bytes,
        )


@lru_cache
def get_settings() -> Settings:
    """The settings of this process, read once."""
    return Settings()
