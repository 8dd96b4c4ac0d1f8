from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from services.chassis.settings import Settings


@pytest.fixture(autouse=True)
def _a_bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(f"MODERNIZE_{name.upper()}", raising=False)


def test_a_bare_machine_needs_no_settings() -> None:
    settings = Settings()

    assert settings.database_url is settings.rabbitmq_url is settings.redis_url is settings.otlp_endpoint is None
    assert (settings.host, settings.port) == ("127.0.0.1", 8000)


def test_the_environment_wins_over_the_dotenv_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("MODERNIZE_PORT=1111\nMODERNIZE_LEASE_SECONDS=7\n")
    monkeypatch.setenv("MODERNIZE_PORT", "2222")

    settings = Settings()

    assert (settings.port, settings.lease_seconds) == (2222, 7)


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODERNIZE_REDIS_URL", "")

    assert Settings().redis_url is None


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        setattr(Settings(), "port", 1)  # noqa: B010 - an assignment would not pass the type checker


def test_secrets_are_not_in_what_is_printed() -> None:
    settings = Settings(api_key=SecretStr("the-key"), database_password=SecretStr("the-password"))

    assert "the-key" not in repr(settings)
    assert "the-password" not in repr(settings)


def test_blobs_lie_in_the_data_folder_unless_set(tmp_path: Path) -> None:
    assert Settings(data_dir=Path("my data")).blob_store_url == f"file://{tmp_path}/my%20data/blobs"
    assert Settings(blob_url="s3://bucket").blob_store_url == "s3://bucket"


@pytest.mark.parametrize("url", ["mysql://host/db", "postgresql://localhost:5432", "not a url"])
def test_a_database_url_of_another_form_is_refused(url: str) -> None:
    with pytest.raises(ValidationError, match="postgresql://host:port/database"):
        Settings(database_url=url)


def test_a_database_url_with_a_user_is_refused() -> None:
    with pytest.raises(ValidationError, match="must not name a user"):
        Settings(database_url="postgresql://admin:pw@localhost:5432/migration")  # pragma: allowlist secret


def test_the_default_password_is_refused_for_another_host() -> None:
    with pytest.raises(ValidationError, match="MODERNIZE_DATABASE_PASSWORD"):
        Settings(database_url="postgresql://db.example:5432/migration")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", ""])
def test_the_default_password_is_accepted_on_this_machine(host: str) -> None:
    assert Settings(database_url=f"postgresql://{host}/migration").database_url


def test_every_setting_is_described() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []
