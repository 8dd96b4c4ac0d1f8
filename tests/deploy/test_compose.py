"""docker-compose.yml and the Dockerfile: valid, complete, safe by default, and in step with the code."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.chassis.settings import Settings

ROOT = Path(__file__).resolve().parent.parent.parent
COMPOSE_TEXT = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(COMPOSE_TEXT)["services"]
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8")
PLATFORM = {name: service for name, service in COMPOSE.items() if service.get("command", [""])[0] == "service"}
SERVICE_NAMES = {"gateway", "flow_orchestrator", "field_mapping", "agent_runner", "audit"}
INFRASTRUCTURE = {"postgres", "rabbitmq", "redis", "jaeger"}


def run(tool: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a tool that is installed beside this Python."""
    command = [str(Path(sys.executable).parent / tool), *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_file_follows_the_compose_specification() -> None:
    outcome = run("check-jsonschema", "--builtin-schema", "vendor.compose-spec", "docker-compose.yml")
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


def test_the_specification_check_can_fail(tmp_path: Path) -> None:
    wrong = tmp_path / "docker-compose.yml"
    wrong.write_text(COMPOSE_TEXT.replace("restart: unless-stopped", "restart_policy: sometimes"), encoding="utf-8")
    assert run("check-jsonschema", "--builtin-schema", "vendor.compose-spec", str(wrong)).returncode == 1


def test_every_service_infrastructure_and_the_migration_job_are_there() -> None:
    assert set(COMPOSE) == SERVICE_NAMES | INFRASTRUCTURE | {"migrate"}


def test_every_service_folder_has_its_process() -> None:
    folders = {path.parent.name for path in (ROOT / "services").glob("*/app.py")}
    assert folders <= set(PLATFORM)


@pytest.mark.parametrize("name", sorted(SERVICE_NAMES))
def test_a_service_starts_when_what_it_needs_is_ready(name: str) -> None:
    service = COMPOSE[name]
    assert service["command"] == ["service", name]
    assert {needed: rule["condition"] for needed, rule in service["depends_on"].items()} == {
        "migrate": "service_completed_successfully",
        "rabbitmq": "service_healthy",
        "redis": "service_healthy",
        "jaeger": "service_started",
    }
    assert "/health/ready" in service["healthcheck"]["test"][-1]


def test_the_migration_job_runs_once_on_a_ready_database() -> None:
    migrate = COMPOSE["migrate"]
    assert (migrate["command"], migrate["restart"]) == (["migrate"], "no")
    assert migrate["depends_on"] == {"postgres": {"condition": "service_healthy"}}


def test_only_the_migration_job_can_administer_the_database() -> None:
    assert [
        name for name, service in COMPOSE.items() if "MODERNIZE_ADMIN_DATABASE_URL" in service.get("environment", {})
    ] == ["migrate"]


def test_what_is_waited_for_as_healthy_has_a_health_check() -> None:
    awaited = {
        needed
        for service in COMPOSE.values()
        for needed, rule in service.get("depends_on", {}).items()
        if rule["condition"] == "service_healthy"
    }
    assert awaited == {"postgres", "rabbitmq", "redis"}
    assert all(COMPOSE[name]["healthcheck"]["test"] for name in awaited)


def test_nothing_listens_beyond_this_machine() -> None:
    published = [port for service in COMPOSE.values() for port in service.get("ports", [])]
    assert "127.0.0.1:8000:8000" in published
    assert [port for port in published if not port.startswith("127.0.0.1:")] == []


def test_every_secret_comes_from_the_environment_and_is_documented() -> None:
    used = set(re.findall(r"\$\{(\w+)", COMPOSE_TEXT))
    required = set(re.findall(r"\$\{(\w+):\?", COMPOSE_TEXT))
    documented = set(re.findall(r"^(\w+)=", (ROOT / ".env.example").read_text(encoding="utf-8"), re.MULTILINE))
    assert used == required == documented


def test_every_setting_that_is_passed_is_one_that_somebody_reads() -> None:
    known = {f"MODERNIZE_{name.upper()}" for name in Settings.model_fields}
    passed = {
        name for service in COMPOSE.values() for name in service.get("environment", {}) if name.startswith("MODERNIZE_")
    }
    built_in = set(re.findall(r"\b(MODERNIZE_\w+)=", DOCKERFILE))
    assert passed | built_in <= known


def test_the_dockerfile_has_no_lint() -> None:
    outcome = run("hadolint", "deploy/Dockerfile")
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


def test_the_image_runs_without_root() -> None:
    users = re.findall(r"^USER (\S+)", DOCKERFILE, re.MULTILINE)
    assert users[-1].isdigit()
    assert users[-1] != "0"


def test_everything_the_image_copies_is_in_the_build_context() -> None:
    copied = {
        source
        for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE)
        for source in line.split()[:-1]
    }
    allowed = re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(encoding="utf-8"), re.MULTILINE)
    assert copied == set(allowed)
