"""The lake: four zones of files, in a local folder or in S3, written whole or not at all.

A file is written under a temporary name, synced and renamed (S3 replaces an object at once), so
nothing under a final name is ever half written. Readers get a local path whose bytes have been
checked against the digest that the statement names.
"""

import errno
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum
from pathlib import Path

import fsspec
from fsspec.implementations.local import LocalFileSystem

from dsk_assets.errors import CorruptedError, MissingInputError, StorageError
from dsk_assets.lake.digests import sha256_file
from dsk_assets.settings import Settings

_REPAIR = (
    "the next run makes it again from its inputs; if it is a landed donation, deliver it again"
)


ABANDONED = 3600
"""Seconds after which a temporary file is a killed writer's."""


class Zone(StrEnum):
    """Who may read a file (see the table of zones in ``docs/architecture.md``)."""

    RESTRICTED = "restricted"
    CURATED = "curated"
    EVIDENCE = "evidence"
    PUBLIC = "public"


class Lake:
    """Files below one root. Paths are relative, with ``/`` between their parts."""

    def __init__(self, settings: Settings):
        options = {}
        if settings.lake_url.startswith("s3://"):
            options = {
                "endpoint_url": settings.s3_endpoint or None,
                "client_kwargs": {"region_name": settings.s3_region},
            }
        self.fs, self.root = fsspec.core.url_to_fs(settings.lake_url, **options)
        self.is_local = isinstance(self.fs, LocalFileSystem)
        self._cache = settings.home.resolve() / "cache"
        if self.is_local:
            try:
                Path(self.root).mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise StorageError(
                    f"the lake cannot be made: {self.root} ({os.strerror(error.errno or 0)}) — set "
                    "DSK_HOME, or DSK_LAKE, to a folder that can be written to"
                ) from None

    def url(self, path: str) -> str:
        """The full address of *path*, for display."""
        return str(self.fs.unstrip_protocol(f"{self.root}/{path}"))

    def exists(self, path: str) -> bool:
        """Whether there is a file under *path*."""
        return bool(self.fs.isfile(f"{self.root}/{path}"))

    def names(self, folder: str) -> list[str]:
        """Names of the files and folders directly below *folder*, sorted; no temporary ones."""
        try:
            entries = self.fs.ls(f"{self.root}/{folder}", detail=False, refresh=True)
        except FileNotFoundError:
            return []
        names = (str(entry).rstrip("/").rsplit("/", 1)[-1] for entry in entries)
        return sorted(name for name in names if not name.startswith(".tmp-"))

    def folders(self, folder: str) -> list[str]:
        """Names of the folders directly below *folder* that hold anything, sorted.

        A writer that was killed leaves an empty folder, or one with a temporary file; S3 has none.
        """
        names = self.names(folder)
        if not self.is_local:
            return names
        return [name for name in names if _holds(f"{self.root}/{folder}/{name}")]

    def sweep(self, folder: str) -> None:
        """Remove what killed writers left in *folder*, into which nobody writes at present."""
        if self.is_local:
            for path in Path(f"{self.root}/{folder}").rglob(".tmp-*"):
                path.unlink(missing_ok=True)

    def left_behind(self, folder: str) -> list[str]:
        """Paths below *folder*, sorted, of what killed writers left there: temporary files that
        nobody has written to for an hour."""
        if not self.is_local:
            return []
        root, now = f"{self.root}/{folder}", time.time()
        found = []
        for at, _, names in os.walk(root, onerror=_unlisted):
            for path in (f"{at}/{name}" for name in names if name.startswith(".tmp-")):
                with suppress(FileNotFoundError):  # its writer is done
                    if now - os.lstat(path).st_mtime > ABANDONED:
                        found.append(path.removeprefix(f"{root}/"))
        return sorted(found)

    def files(self, folder: str) -> list[str]:
        """Paths of all files below *folder*, relative to it, sorted; no temporary ones.

        A link to a folder is named like a file, and not followed: nothing here makes one.
        """
        root = f"{self.root}/{folder}"
        if self.is_local:
            found = [
                f"{at}/{name}"
                for at, folders, names in os.walk(root, onerror=_unlisted)
                for name in (*names, *(one for one in folders if Path(at, one).is_symlink()))
            ]
        else:
            self.fs.invalidate_cache(root)
            found = [str(path) for path in self.fs.find(root)]
        paths = (path.removeprefix(f"{root}/") for path in found)
        return sorted(path for path in paths if not path.rpartition("/")[2].startswith(".tmp-"))

    def is_other(self, path: str) -> bool:
        """Whether *path* is there and no file: a folder, or what gives bytes for ever or never."""
        place = f"{self.root}/{path}"
        return self.is_local and os.path.lexists(place) and not Path(place).is_file()

    def read(self, path: str) -> bytes:
        """The bytes of *path*; :class:`MissingInputError` where there is no such file.

        Raises :class:`CorruptedError` for what is there and no file.
        """
        if self.is_other(path):
            raise CorruptedError(f"{path} is no file — remove it")
        try:
            return bytes(self.fs.cat_file(f"{self.root}/{path}"))
        except FileNotFoundError:
            raise MissingInputError(f"{path} is not in the lake") from None

    def read_tagged(self, path: str) -> tuple[bytes, str] | None:
        """The bytes of an object in S3 and its entity tag, or None where there is no object.

        When it is replaced meanwhile, the tag is the older one.
        """
        try:
            tag = str(self.fs.info(f"{self.root}/{path}", refresh=True)["ETag"]).strip('"')
            return self.read(path), tag
        except (FileNotFoundError, MissingInputError):
            return None

    def write_if(self, path: str, data: bytes, tag: str | None) -> str | None:
        """Write an object in S3 only in place of the one with *tag* (None: only where none is).

        Returns its entity tag, or None where another one is there by now. Raises
        :class:`StorageError` when the service cannot be reached or refuses.
        """
        bucket, key, _ = self.fs.split_path(f"{self.root}/{path}")
        condition = {"IfNoneMatch": "*"} if tag is None else {"IfMatch": tag}
        try:
            written = self.fs.call_s3("put_object", Bucket=bucket, Key=key, Body=data, **condition)
        except FileNotFoundError:
            return None
        except OSError as error:
            code = getattr(error.__cause__, "response", {}).get("Error", {}).get("Code", "")
            if code in ("PreconditionFailed", "ConditionalRequestConflict"):
                return None
            raise StorageError(f"could not write {path}: {code or type(error).__name__}") from None
        self.fs.invalidate_cache(f"{self.root}/{path}")
        return str(written["ETag"]).strip('"')

    def remove(self, path: str) -> None:
        """Delete the file *path* where there is one."""
        with suppress(FileNotFoundError):
            self.fs.rm_file(f"{self.root}/{path}")

    @contextmanager
    def writing(self, path: str, *, replace: bool = True) -> Iterator[Path]:
        """A local path to write to; on leaving, its bytes appear under *path*, whole.

        With ``replace=False`` an existing file is an error (``FileExistsError``), also between
        two writers at once. Raises :class:`StorageError` when the disk is full or read-only.
        """
        target = f"{self.root}/{path}"
        folder = Path(target).parent if self.is_local else self._cache / "writing"
        temporary = None
        try:
            folder.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix=".tmp-", dir=folder)
            os.close(handle)
            temporary = Path(name)
            yield temporary
            if self.is_local:
                temporary.chmod(0o600 if path.startswith(f"{Zone.RESTRICTED}/") else 0o644)
                publish(temporary, Path(target), replace=replace)
            else:
                if not replace and self.fs.exists(target):
                    raise FileExistsError(path)
                self.fs.put_file(str(temporary), target)
        except OSError as error:
            if isinstance(error, FileExistsError):
                raise
            reason = os.strerror(error.errno) if error.errno else type(error).__name__
            remedy = (
                "free some space and run again; nothing already written was touched"
                if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
                else "check the folder and its permissions, then run again"
            )
            raise StorageError(f"could not write {path}: {reason} — {remedy}") from None
        finally:
            if temporary is not None:
                temporary.unlink(missing_ok=True)

    def local_path(self, path: str, sha256: str) -> Path:
        """A local file with the bytes of *path*, checked to have the digest *sha256*.

        Raises :class:`CorruptedError` when the bytes differ or the file is gone: a statement says
        that it was there.
        """
        local = self.unverified(path, sha256)
        if not local.is_file():
            raise CorruptedError(f"{path} is gone, though its statement names it — {_REPAIR}")
        if sha256_file(local) != sha256:
            raise CorruptedError(
                f"{path} has other bytes than its statement says (expected sha256 {sha256}) — "
                f"{_REPAIR}"
            )
        return local

    def unverified(self, path: str, sha256: str) -> Path:
        """Like :meth:`local_path`, but its bytes are not looked at, nor whether it is there."""
        return Path(f"{self.root}/{path}") if self.is_local else self._fetched(path, sha256)

    def _fetched(self, path: str, sha256: str) -> Path:
        """A copy of an object, fetched once for each of its versions (entity tags)."""
        address = f"{self.root}/{path}"
        try:
            tag = str(self.fs.info(address, refresh=True)["ETag"]).strip('"')
            local = self._cache / "objects" / f"{sha256}-{tag}"
            if not local.exists():
                local.parent.mkdir(parents=True, exist_ok=True)
                partial = local.with_name(f".tmp-{os.getpid()}-{local.name}")
                self.fs.get_file(address, str(partial))
                partial.replace(local)
        except FileNotFoundError:
            raise CorruptedError(
                f"{path} is gone, though its statement names it — {_REPAIR}"
            ) from None
        return local


def _unlisted(error: OSError) -> None:
    """A folder that is not there holds nothing; one that may not be looked into is an error."""
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        raise error


def _holds(folder: str) -> bool:
    with suppress(NotADirectoryError), os.scandir(folder) as entries:
        return any(not entry.name.startswith(".tmp-") for entry in entries)
    return False


def publish(temporary: Path, target: Path, *, replace: bool = True) -> None:
    """Sync *temporary* and give it the name *target*, so that no crash leaves half a file there.

    With ``replace=False`` an existing target is an error (``FileExistsError``).
    """
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    if replace:
        temporary.replace(target)
    else:
        os.link(temporary, target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
