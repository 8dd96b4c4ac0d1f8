"""Where the root keys come from."""

import base64
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import SecretStr

from services.chassis.encryption_keys import EnvironmentKeys, KeyFolder, KeysUnusable, key_provider
from services.chassis.errors import Conflict
from services.chassis.settings import Settings

ONE, TWO = (base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2))


def test_the_first_start_makes_a_key_that_only_its_owner_can_read(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "encryption_keys"
    keys = KeyFolder(folder).load()
    assert list(keys) == [1]
    assert len(keys[1]) == 32
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "1").stat().st_mode) == 0o600
    assert KeyFolder(folder).load() == keys


def test_many_that_start_at_once_agree_on_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as threads:
        found = list(threads.map(lambda _: dict(KeyFolder(tmp_path / "keys").load()), range(64)))
    assert all(keys == found[0] for keys in found)
    assert sorted(path.name for path in (tmp_path / "keys").iterdir()) == ["1"]


def test_a_new_version_comes_last_and_the_old_one_stays(tmp_path: Path) -> None:
    keys = KeyFolder(tmp_path / "keys")
    before = keys.load()
    for version in (*range(2, 12), 11):
        keys.add(version)
    after = keys.load()
    assert list(after) == list(range(1, 12))
    assert after[1] == before[1]
    assert len(set(after.values())) == 11


def test_a_key_that_everybody_can_read_is_refused(tmp_path: Path) -> None:
    KeyFolder(tmp_path / "keys").load()
    (tmp_path / "keys" / "1").chmod(0o644)
    with pytest.raises(KeysUnusable, match="chmod 600"):
        KeyFolder(tmp_path / "keys").load()


@pytest.mark.parametrize("content", ["", "x", ONE[:-8], "ö" * 44])
def test_a_damaged_key_file_is_named_and_never_replaced(tmp_path: Path, content: str) -> None:
    KeyFolder(tmp_path / "keys").load()
    file = tmp_path / "keys" / "1"
    file.write_text(content)
    with pytest.raises(KeysUnusable, match=str(file)):
        KeyFolder(tmp_path / "keys").load()
    assert file.read_text() == content


def test_keys_of_the_environment_are_in_the_operators_order() -> None:
    assert dict(EnvironmentKeys(f"1:{ONE}").load()) == {1: b"\1" * 32}
    assert list(EnvironmentKeys(f"2:{TWO}, 1:{ONE}").load()) == [2, 1]
    with pytest.raises(Conflict, match="MODERNIZE_ENCRYPTION_KEYS"):
        EnvironmentKeys(f"1:{ONE}").add(2)


@pytest.mark.parametrize(
    "text", ["", ONE, f"0:{ONE}", f"x:{ONE}", f"1:{ONE},1:{TWO}", f"1:{ONE[:-4]}", "1:secret", "1:"]
)
def test_keys_of_the_environment_in_another_form_are_refused_without_being_told(text: str) -> None:
    with pytest.raises(KeysUnusable) as refused:
        EnvironmentKeys(text).load()
    assert "MODERNIZE_ENCRYPTION_KEYS" in refused.value.problem.detail
    assert not {part for part in text.replace(":", ",").split(",") if len(part) > 1} & set(str(refused.value).split())


def test_the_settings_choose_the_source_and_do_not_print_the_keys(tmp_path: Path) -> None:
    assert isinstance(key_provider(Settings(data_dir=tmp_path)), KeyFolder)
    settings = Settings(data_dir=tmp_path, encryption_keys=SecretStr(f"1:{ONE}"))
    assert isinstance(key_provider(settings), EnvironmentKeys)
    assert ONE not in repr(settings)
