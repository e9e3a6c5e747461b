"""Folders that are handed out: written whole or not at all, and what is in one."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dsk_assets.errors import StorageError


def files_below(folder: Path) -> dict[str, Path]:
    """All files below *folder* by their relative name, in alphabetical order."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path for path in found}


def require_new(out: Path) -> None:
    """Raise :class:`StorageError` where *out* already holds something."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise StorageError(
            f"{out} is not empty — name a new folder, so that nothing is overwritten"
        )


@contextmanager
def new_folder(out: Path, again: str) -> Iterator[Path]:
    """A folder to write to, which has the name *out* once the block ends, and not before.

    Raises :class:`StorageError` where *out* already holds something, and where writing fails; it
    says to do *again* what was being done.
    """
    require_new(out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".tmp-", dir=out.parent) as parent:
            folder = Path(parent) / out.resolve().name
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
