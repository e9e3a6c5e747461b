"""A donation delivered as an S3 prefix, brought to a local folder for as long as it is landed."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import fsspec

from dsk_assets.errors import DonationError, SettingsError
from dsk_assets.settings import EU_REGIONS, Settings


@contextmanager
def staged(address: str, settings: Settings) -> Iterator[Path]:
    """A private folder below ``settings.home`` with the files under *address*; removed on leaving.

    Raises :class:`DonationError` where nothing can be read there, :class:`SettingsError` where
    ``DSK_S3_REGION`` is not in the EU.
    """
    if not address.startswith("s3://"):
        raise DonationError(f"not a place to read from: {address} — give a folder or s3:// address")
    if settings.s3_region not in EU_REGIONS:
        raise SettingsError(
            f"DSK_S3_REGION is {settings.s3_region!r}, which is not a known EU region: donated "
            f"data may not leave the EU. Use one of {', '.join(sorted(EU_REGIONS))}."
        )
    area = settings.home.resolve() / "staging"
    area.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=area) as name:
        _download(address, settings, Path(name))
        yield Path(name)


def _download(address: str, settings: Settings, folder: Path) -> None:
    from botocore.exceptions import (  # type: ignore[import-untyped]
        BotoCoreError,
        ClientError,
    )

    fs, root = fsspec.core.url_to_fs(
        address.rstrip("/"),
        endpoint_url=settings.s3_endpoint or None,
        client_kwargs={"region_name": settings.s3_region},
    )
    try:
        objects = fs.find(root, refresh=True)
        for key in objects:
            relative = PurePosixPath(key).relative_to(root)
            if ".." in relative.parts:
                raise DonationError(f"a file's name leaves the folder: {relative} — rename it")
            target = folder / relative
            target.parent.mkdir(parents=True, exist_ok=True)
            fs.get_file(key, str(target))
    except (OSError, BotoCoreError, ClientError) as error:
        raise DonationError(
            f"the donation could not be fetched: {address} ({type(error).__name__}) — check the "
            "address, DSK_S3_ENDPOINT and the credentials"
        ) from None
    if not objects:
        raise DonationError(f"there is nothing to donate: {address} — check the address")
