"""Private directories, and an account for what refuses to run as root."""

import contextlib
import os
import pwd
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rush_monitor.spawn import Become, become_user, enter_user_namespace, start


class EngineError(Exception):
    """An engine cannot run; the message is one line that says what to do."""


def make_directories(data_dir: Path, run_dir: Path) -> None:
    """Make both with mode 700, or accept what is there.

    Raises EngineError when this user cannot write in one of them, or when somebody
    else made ``run_dir``: in a shared /tmp anybody can lay its name in wait.
    """
    _make_private(data_dir, "DATA_DIR")
    if run_dir.parent == data_dir:
        _make_private(run_dir, "DATA_DIR")
        return
    _make_private(run_dir, "TMPDIR")
    entry, cluster = run_dir.lstat(), data_dir / "postgres"
    owners = {os.geteuid()} | ({cluster.stat().st_uid} if cluster.exists() else set())
    if entry.st_uid not in owners or stat.S_IMODE(entry.st_mode) & 0o077:
        raise EngineError(
            f"{run_dir}: others can write in it. Remove it, set DATA_DIR to a shorter "
            "path, or set TMPDIR to a directory of your own."
        )


def _make_private(path: Path, variable: str) -> None:
    cure = f"Set {variable} to a directory that this user may write to."
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise EngineError(f"{path}: {error.strerror}. {cure}") from error
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        raise EngineError(f"{path}: no permission to write. {cure}")


@dataclass(frozen=True)
class Account:
    """Who runs a server for root. ``owner`` None: the files stay root's."""

    become: Become
    owner: tuple[int, int] | None = None  # uid, gid

    def own(self, path: Path) -> None:
        if self.owner:
            os.chown(path, *self.owner)


def unprivileged(
    data_dir: Path, run_dir: Path, cluster: Path, binary: str
) -> Account | None:
    """The account that runs ``binary`` on ``cluster``; None when we are not root.

    No account is made, and no directory above ``data_dir`` is touched. Raises
    EngineError when no account reaches the binary and the directories.
    """
    if os.geteuid() != 0:
        return None
    for account in _accounts(data_dir, cluster):
        mode = stat.S_IMODE(data_dir.stat().st_mode)
        if account.owner and data_dir.stat().st_uid != account.owner[0]:
            data_dir.chmod(mode | 0o011)  # to be passed through, not read
        account.own(run_dir)
        if _works(account, data_dir, run_dir, binary):
            return account
        data_dir.chmod(mode)
        os.chown(run_dir, 0, 0)
    raise EngineError(
        "PostgreSQL does not run as root, and here root can neither use a user "
        f"namespace nor another account that reaches {data_dir}: run it as an "
        "ordinary user, or set DATABASE_URL."
    )


def _accounts(data_dir: Path, cluster: Path) -> Iterator[Account]:
    place = (cluster if cluster.exists() else data_dir).stat()
    if place.st_uid != 0:
        yield Account(
            become_user(place.st_uid, place.st_gid), (place.st_uid, place.st_gid)
        )
        return
    if sys.platform == "linux":
        yield Account(enter_user_namespace)
    if cluster.exists():
        return
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            owner = (entry.pw_uid, entry.pw_gid)
            yield Account(become_user(*owner), owner)


def _works(account: Account, data_dir: Path, run_dir: Path, binary: str) -> bool:
    script = '"$0" --version && cd "$1" && test -w "$2"'
    try:
        trial = start(
            ["/bin/sh", "-c", script, binary, str(data_dir), str(run_dir)],
            become=account.become,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return trial.wait() == 0
