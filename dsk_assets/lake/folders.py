"""Folders that are handed out: written whole or not at all, and what is in one."""

import fcntl
import glob
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dsk_assets.errors import CorruptedError, StorageError

_PLAIN = re.compile(r"[A-Za-z0-9_.@+-]+(/[A-Za-z0-9_.@+-]+)*")


def files_below(folder: Path) -> dict[str, Path]:
    """All files below *folder* by their relative name, in alphabetical order."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path for path in found}


def plain_files(folder: Path) -> dict[str, Path]:
    """All files below *folder*, which came from outside, by their relative name, in that order.

    Raises :class:`CorruptedError` for what is neither file nor folder (a link could lead to any
    file of this host, and reading a pipe or a device may never end), and for names that are not
    letters, digits and ``._@+-``.
    """
    found: dict[str, Path] = {}
    for path in [folder, *_below(folder)]:
        name = path.relative_to(folder).as_posix()
        mode = path.lstat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise CorruptedError(f"{folder}: {shown(name)} is neither file nor folder — remove it")
        if not _PLAIN.fullmatch(name):
            raise CorruptedError(f"{folder}: {shown(name)} is no name for a file — remove it")
        if stat.S_ISREG(mode):
            found[name] = path
    return dict(sorted(found.items()))


def shown(name: str) -> str:
    """*name* as it can be printed, whatever its bytes are."""
    return name.encode("unicode_escape").decode()[:200]


def _below(folder: Path) -> Iterator[Path]:
    def unreadable(error: OSError) -> None:
        raise error

    for at, folders, names in os.walk(folder, onerror=unreadable):
        yield from (Path(at, name) for name in (*folders, *names))


def require_new(out: Path) -> None:
    """Raise :class:`StorageError` where *out* already holds something."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise StorageError(
            f"{out} is not empty — name a new folder, so that nothing is overwritten"
        )


@contextmanager
def new_folder(out: Path, again: str) -> Iterator[Path]:
    """A folder to write to, which has the name *out* once the block ends, and not before.

    What a writer of *out* left that was killed is removed first. Raises :class:`StorageError` where
    *out* already holds something, and where writing fails; it says to do *again* what was being
    done.
    """
    require_new(out)
    name = out.resolve().name
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(out.parent, f".tmp-{name}-")
        with (
            tempfile.TemporaryDirectory(prefix=f".tmp-{name}-", dir=out.parent) as parent,
            _locked(Path(parent)),
        ):
            folder = Path(parent) / name
            folder.mkdir()
            yield folder
            if out.exists():
                out.rmdir()
            folder.rename(out)
    except OSError as error:
        raise StorageError(
            f"could not write {out}: {os.strerror(error.errno or 0)} — free some space or choose "
            f"another folder, then {again} again"
        ) from None


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, which ends with this process however it ends."""
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(file)


def _remove_abandoned(parent: Path, prefix: str) -> None:
    for left in parent.glob(f"{glob.escape(prefix)}*"):
        with suppress(BlockingIOError), _locked(left):  # somebody still writes to it
            shutil.rmtree(left)
