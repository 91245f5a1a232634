import os
from pathlib import Path

import pytest

from rush_monitor import unprivileged
from rush_monitor.unprivileged import Account, EngineError, make_directories
from rush_monitor.unprivileged import unprivileged as account_for


def test_directories_are_made_for_this_user_alone(tmp_path: Path) -> None:
    make_directories(tmp_path / "var", tmp_path / "var" / "run")
    assert (tmp_path / "var").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "var" / "run").stat().st_mode & 0o777 == 0o700


def test_the_mode_of_a_directory_that_is_there_stays(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    make_directories(tmp_path, tmp_path / "run")
    assert tmp_path.stat().st_mode & 0o777 == 0o755


def test_a_file_in_the_place_of_the_data_directory_is_named(tmp_path: Path) -> None:
    (tmp_path / "var").touch()
    with pytest.raises(EngineError, match="var: .*Set DATA_DIR"):
        make_directories(tmp_path / "var", tmp_path / "var" / "run")


def test_a_directory_that_cannot_be_made_is_named() -> None:
    # Not even root makes a directory in /proc.
    with pytest.raises(EngineError, match="/proc/var: .*Set DATA_DIR"):
        make_directories(Path("/proc/var"), Path("/proc/var/run"))


def test_a_directory_of_sockets_that_others_can_write_is_refused(
    tmp_path: Path,
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    elsewhere.chmod(0o777)
    with pytest.raises(EngineError, match="others can write"):
        make_directories(tmp_path / "var", elsewhere)


def test_an_ordinary_user_needs_no_other_account(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert account_for(tmp_path, tmp_path, tmp_path / "postgres", "/bin/true") is None


def no_namespaces() -> None:
    raise OSError(1, "Operation not permitted")


@pytest.fixture
def place(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory that other accounts could reach, without namespaces."""
    monkeypatch.setattr(unprivileged, "enter_user_namespace", no_namespaces)
    for path in (data_dir.parent.parent, data_dir.parent):
        path.chmod(0o711)
    make_directories(data_dir, data_dir / "run")
    return data_dir


def account_in(place: Path) -> Account | None:
    return account_for(place, place / "run", place / "postgres", "/bin/true")


def test_without_namespaces_root_lends_its_directory_to_an_account(place: Path) -> None:
    account = account_in(place)
    if os.geteuid() != 0:
        assert account is None
        return
    assert account is not None
    assert account.owner is not None
    assert (place / "run").stat().st_uid == account.owner[0] != 0
    assert place.stat().st_mode & 0o777 == 0o711


def test_without_any_account_the_error_says_what_to_do(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.parent.chmod(0o700)
    if os.geteuid() != 0:
        assert account_in(place) is None
        return
    with pytest.raises(
        EngineError, match="run it as an ordinary user, or set DATABASE"
    ):
        account_in(place)
    assert place.stat().st_mode & 0o777 == 0o700
    assert place.parent.stat().st_mode & 0o777 == 0o700
    assert (place / "run").stat().st_uid == 0


def test_the_owner_of_the_data_serves_it(place: Path) -> None:
    if os.geteuid() == 0:
        os.chown(place, 65534, 65534)
    account = account_in(place)
    assert (account and account.owner) == ((65534, 65534) if account else None)
    assert (account is None) == (os.geteuid() != 0)
