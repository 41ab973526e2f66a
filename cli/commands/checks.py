"""The checks behind `kivuko doctor`. Each says what it found in words and, if something is wrong, what to do."""

import stat
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import httpx

from cli.context import Reach, api_key, api_url, database_url, key_file
from cli.errors import Failure, in_plain_words
from core.settings import Security, Settings
from models.providers import PROVIDERS

State = Literal["ok", "warning", "failing", "skipped"]
_SKEW_WARNING: Final = timedelta(seconds=5)
_SKEW_FAILING: Final = timedelta(minutes=2)


@dataclass(frozen=True)
class Finding:
    """One thing looked at."""

    what: str
    state: State
    detail: str
    hint: str | None = None


class Examination:
    """Runs the checks in order and tells each finding as it comes."""

    def __init__(self, settings: Settings, reach: Reach, told: Callable[[Finding], None]) -> None:
        self.settings, self.reach, self.told = settings, reach, told
        self.url = api_url(reach, settings)

    async def run(self, groups: Sequence[str]) -> list[Finding]:
        found = []
        for group in groups:
            async with aclosing(_CHECKS[group](self)) as findings:
                try:
                    async for finding in findings:
                        found.append(finding)
                        self.told(finding)
                except Exception as error:
                    failure = in_plain_words(error) or Failure(f"{type(error).__name__}: {error}")
                    found.append(Finding(group, "failing", failure.sentence))
                    self.told(found[-1])
        return found

    async def look_at_settings(self) -> AsyncGenerator[Finding, None]:
        environment = self.settings.environment
        sample = Security()
        used = self.settings.security
        same = [
            name
            for name in ("credential_keys", "payload_keys", "callback_secrets", "search_keys")
            if getattr(used, name) == getattr(sample, name)
        ]
        if same:
            hint = None if environment == "local" else "Make fresh ones with `kivuko keys generate`."
            yield Finding("keys", "warning", f"the public sample keys are in use ({', '.join(same)})", hint)
        else:
            yield Finding("keys", "ok", "of this installation's own")
        folder = self.settings.data_dir
        if not folder.is_dir():
            yield Finding("data folder", "skipped", f"{folder} does not exist (no local stack here)")
            return
        key = key_file(self.settings)
        open_ = [str(path) for path in (folder, key) if path.exists() and _others_may_read(path.stat().st_mode)]
        if open_:
            hint = f"chmod go-rwx {' '.join(open_)}"
            yield Finding("data folder", "failing", "other users can read " + ", ".join(open_), hint)
        else:
            yield Finding("data folder", "ok", f"{folder} is for its owner alone")

    async def look_at_the_database(self) -> AsyncGenerator[Finding, None]:
        import asyncio

        from cli.commands.db import revisions

        at, head = await asyncio.to_thread(revisions, database_url(self.settings))
        yield Finding("database", "ok", "answers")
        if at == head:
            yield Finding("migrations", "ok", f"at the newest revision, {head}")
        else:
            yield Finding("migrations", "failing", f"at {at or 'nothing'}, newest {head}", "Run `kivuko db migrate`.")

    async def look_at_temporal(self) -> AsyncGenerator[Finding, None]:
        from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
        from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest

        from temporal.client import connect
        from temporal.search_attributes import ALL

        client = await connect(self.settings)
        namespace = await client.workflow_service.describe_namespace(
            DescribeNamespaceRequest(namespace=client.namespace), timeout=timedelta(seconds=5)
        )
        days = namespace.config.workflow_execution_retention_ttl.seconds // 86400
        yield Finding("temporal", "ok", f"namespace {client.namespace}, closed sagas kept for {days} days")
        known = await client.operator_service.list_search_attributes(
            ListSearchAttributesRequest(namespace=client.namespace)
        )
        missing = [key.name for key in ALL if key.name not in known.custom_attributes]
        if missing:
            hint = "Run `kivuko schedules ensure`."
            yield Finding("search attributes", "failing", f"missing: {', '.join(missing)}", hint)
        else:
            yield Finding("search attributes", "ok", "registered")

    async def look_at_the_queues(self) -> AsyncGenerator[Finding, None]:
        from temporal.client import connect
        from temporal.queue_states import pollers
        from temporal.queues import QUEUE_WORDS, queues_named

        client = await connect(self.settings)
        words = (word for word in queues_named(self.settings.worker.queues) if word in QUEUE_WORDS)
        for name in words:
            queue = f"kivuko-{name}"
            count = await pollers(client, queue)
            if count:
                yield Finding(f"queue {queue}", "ok", f"{count} poller{'s' * (count != 1)}")
            else:
                yield Finding(f"queue {queue}", "failing", "nobody polls it", f"Start `kivuko worker --queue {name}`.")

    async def look_at_the_schedules(self) -> AsyncGenerator[Finding, None]:
        """What should run by the clock: a missing or paused schedule is a loss that nobody notices."""
        from cli.commands.schedules import expected, rows_of
        from temporal.client import connect

        there = {row["id"]: row for row in await rows_of(await connect(self.settings))}
        for name in await expected(self.settings):
            yield schedule_finding(name, there.get(name))

    async def look_at_the_api(self) -> AsyncGenerator[Finding, None]:
        async with httpx.AsyncClient(base_url=self.url, timeout=10) as http:
            for path, word in (("/health/live", "alive"), ("/health/ready", "ready")):
                answer = await http.get(path)
                good = answer.status_code == httpx.codes.OK
                detail = word if good else f"{path} answers {answer.status_code}: {answer.text[:300]}"
                yield Finding("api", "ok" if good else "failing", detail)

    async def look_at_the_clock(self) -> AsyncGenerator[Finding, None]:
        """Against the `Date` of an HTTP answer: of the callback address's server, which should be another machine."""
        async with httpx.AsyncClient(timeout=10) as http:
            before = datetime.now(UTC)
            answer = await http.head(self.settings.callbacks.base_url)
            now = before + (datetime.now(UTC) - before) / 2
        said = answer.headers.get("date")
        if not said:
            yield Finding("clock", "skipped", "the server names no date")
            return
        # The header has whole seconds, cut off.
        skew = abs(now - parsedate_to_datetime(said) - timedelta(seconds=0.5))
        state: State = "ok" if skew <= _SKEW_WARNING else "warning" if skew <= _SKEW_FAILING else "failing"
        hint = None if state == "ok" else "Synchronise this machine's clock (chrony, systemd-timesyncd)."
        yield Finding("clock", state, f"{skew.total_seconds():.1f} s from {urlsplit(str(answer.url)).hostname}", hint)

    async def look_at_the_callback_address(self) -> AsyncGenerator[Finding, None]:
        from providers.daraja.requests import FORBIDDEN_URL_WORDS

        url = self.settings.callbacks.base_url
        words = [word for word in FORBIDDEN_URL_WORDS if word in url.lower()]
        if words:
            yield Finding("callback address", "failing", f"{url} holds {', '.join(words)}", "Daraja refuses such URLs.")
            return
        if self.settings.environment == "production" and not url.startswith("https://"):
            yield Finding("callback address", "failing", f"{url} is not HTTPS", "Daraja calls HTTPS addresses only.")
            return
        async with httpx.AsyncClient(timeout=10) as http:
            answer = await http.get(f"{url.rstrip('/')}/health/live")
        if answer.status_code == httpx.codes.OK:
            yield Finding("callback address", "ok", f"{url} reaches this API")
        else:
            yield Finding("callback address", "failing", f"{url} answers {answer.status_code} for /health/live")

    async def look_at_the_partners(self) -> AsyncGenerator[Finding, None]:
        import asyncio

        from cli.commands.partners import check_connection
        from cli.http import ApiClient

        with ApiClient(self.url, api_key(self.reach, self.settings)) as api:
            partners = await asyncio.to_thread(lambda: list(api.pages("/partners")))
            if not partners:
                yield Finding("partners", "skipped", "there are none yet")
            for partner in partners:
                given = (await asyncio.to_thread(api.get, f"/partners/{partner['id']}"))["connections"]
                theirs = [one["provider"] for one in given]
                for missing in PROVIDERS:
                    if missing.name not in theirs:
                        yield Finding(f"{partner['name']}: {missing.name}", "skipped", "there is no such connection")
                for provider in theirs:
                    what = f"{partner['name']}: {provider}"
                    try:
                        checked = await asyncio.to_thread(check_connection, api, partner["id"], provider)
                    except Failure as failure:
                        yield Finding(what, "failing", failure.sentence)
                        continue
                    good = checked.get("ok", checked.get("status") == "ok")
                    detail = "works" if good else str(checked.get("detail") or checked.get("check_detail") or "fails")
                    yield Finding(what, "ok" if good else "failing", detail)


def schedule_finding(name: str, row: dict[str, Any] | None) -> Finding:
    """What is wrong with a schedule that should be there; `row` as `kivuko schedules list --json` shows it."""
    what = f"schedule {name}"
    if row is None:
        return Finding(what, "failing", "is missing", "Run `kivuko schedules ensure`.")
    if row["paused"]:
        hint = f"Let it go on: `kivuko schedules resume {name}`."
        return Finding(what, "warning", f"paused: {row['note'] or 'nobody said why'}", hint)
    return Finding(what, "ok", f"every {row['every']}")


def _others_may_read(mode: int) -> bool:
    return bool(mode & (stat.S_IRWXG | stat.S_IRWXO)) if stat.S_ISREG(mode) else bool(mode & stat.S_IWOTH)


_CHECKS: Final[dict[str, Callable[[Examination], AsyncGenerator[Finding, None]]]] = {
    "settings": Examination.look_at_settings,
    "database": Examination.look_at_the_database,
    "temporal": Examination.look_at_temporal,
    "queues": Examination.look_at_the_queues,
    "schedules": Examination.look_at_the_schedules,
    "api": Examination.look_at_the_api,
    "clock": Examination.look_at_the_clock,
    "callbacks": Examination.look_at_the_callback_address,
    "partners": Examination.look_at_the_partners,
}
GROUPS: Final = tuple(_CHECKS)
