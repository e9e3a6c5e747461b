"""Every setting of the platform, read from the environment (prefix ``DSK_``).

The defaults run the demonstration on one machine. Production sets ``DSK_LAKE`` to an S3 address
in an EU region and ``DSK_CONSORTIUM`` to the consortium's own folder.
"""

import datetime as dt
import os
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from dsk_assets.errors import SettingsError

# fmt: off
EU_COUNTRIES = frozenset((
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU",
    "IE", "IT", "LT", "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK",
))
# fmt: on
"""The 27 member states (ISO 3166-1 alpha-2). Not the EEA, not the United Kingdom."""

EU_REGIONS = {
    "eu-central-1": "DE",
    "eu-west-1": "IE",
    "eu-west-3": "FR",
    "eu-north-1": "SE",
    "eu-south-1": "IT",
    "eu-south-2": "ES",
    "lumi-prod": "FI",
}
"""Storage regions known to lie in the EU. ``eu-west-2`` is London and ``eu-central-2`` Zurich."""

COPENHAGEN = ZoneInfo("Europe/Copenhagen")
"""Approvals begin and end at midnight in Denmark, whatever the host's clock is set to."""

PROJECT_ROOT = Path(__file__).resolve().parents[1]
"""The folder that holds ``expectations/`` and ``dbt_project/`` beside the package."""


class Settings(BaseSettings):
    """Where things are and how much of the machine to use.

    Raises :class:`~dsk_assets.errors.SettingsError` from :func:`load_settings` when a value is
    unknown or when storage lies outside the EU.
    """

    model_config = SettingsConfigDict(env_prefix="DSK_", extra="ignore", frozen=True)

    home: Path = Field(Path(".dsk"), description="All that a run makes lies below this folder.")
    lake: str = Field("", description="Folder or s3:// address of the lake; default HOME/lake.")
    consortium: Path = Field(
        PROJECT_ROOT / "examples" / "consortium",
        description="Folder with members, agreements, use cases, policies and donations.",
    )
    country: str = Field("DK", description="Country where this host stands (EU member state).")
    s3_endpoint: str = Field("", description="Address of an S3 service other than the default.")
    s3_region: str = Field("", description="Region of the S3 bucket; must lie in the EU.")
    workers: int = Field(
        default_factory=lambda: len(os.sched_getaffinity(0)),
        ge=1,
        description="Processes (or Slurm jobs) for work over parts.",
    )
    engine: str = Field(
        "local",
        description="Where parts are worked: local, slurm, or a Dask scheduler (its address, such "
        "as tcp://host:8786, or its scheduler file). All workers must stand in the EU.",
    )
    name_engine: Path | None = Field(
        None,
        description="Folder of a spaCy pipeline or a transformers model that finds names besides "
        "the recognisers of this project. Nothing is downloaded.",
    )
    today: dt.date | None = Field(
        None, description="Judge approvals as of this date instead of today (for audits)."
    )

    signing_key: SecretStr = Field(
        SecretStr(""),
        description="Private key for statements: a PKCS#8 file or its text; default HOME/keys.",
    )
    log_key: SecretStr = Field(
        SecretStr(""), description="Private key for the log's checkpoints, given in the same way."
    )
    model_key: Path | None = Field(
        None,
        description="Private key (ECDSA on P-256, a PEM file) for released models; default "
        "HOME/keys.",
    )
    openlineage_url: str = Field(
        "",
        description="Where OpenLineage events are sent, besides the file below HOME/openlineage.",
    )
    openlineage_token: SecretStr = Field(
        SecretStr(""), description="Bearer token for that address, if it wants one."
    )
    openlineage_namespace: str = Field(
        "dsk", description="Namespace of jobs and datasets; tells installations apart."
    )
    log_origin: str = Field(
        "",
        pattern=r"^[^\s+]*$",
        description="Name of a new log, as an address without scheme; never changed later.",
    )

    @cached_property
    def lake_url(self) -> str:
        """The lake's address: an absolute folder or ``s3://bucket/prefix``."""
        return self.lake or str(self.home.resolve() / "lake")

    @property
    def lake_name(self) -> str:
        """What the lake is called in ``DSK_HOME``: it stays when both are moved or copied."""
        home, lake = self.home.resolve(), Path(self.lake_url)
        return lake.relative_to(home).as_posix() if lake.is_relative_to(home) else self.lake_url

    @property
    def date(self) -> dt.date:
        """The day on which approvals are judged, as it is in Denmark."""
        return self.today or dt.datetime.now(COPENHAGEN).date()

    @property
    def dagster_home(self) -> Path:
        """Dagster's instance folder."""
        return self.home.resolve() / "dagster"


def load_settings(**overrides: object) -> Settings:
    """Settings from the environment, checked for the promise that data never leave the EU."""
    try:
        settings = Settings(**overrides)  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors()[0]
        name = "DSK_" + "_".join(str(part) for part in first["loc"]).upper()
        raise SettingsError(f"{name} is {first['input']!r}: {first['msg']}") from None
    if settings.country not in EU_COUNTRIES:
        raise SettingsError(
            f"DSK_COUNTRY is {settings.country!r}, which is not an EU member state: donated data "
            "may not leave the EU. Run on a host inside the EU and name its country, such as DK."
        )
    _check_address(settings.openlineage_url)
    scheme, found, _ = settings.lake_url.partition("://")
    if found and scheme != "s3":
        raise SettingsError(
            f"DSK_LAKE is {settings.lake_url!r}: only a folder or s3://bucket/prefix can be "
            "checked to lie in the EU — use one of these"
        )
    if (
        found
        and "amazonaws.com" in settings.s3_endpoint
        and (settings.s3_region not in settings.s3_endpoint)
    ):
        raise SettingsError(
            f"DSK_S3_ENDPOINT is {settings.s3_endpoint!r}, which is not in region "
            f"{settings.s3_region!r} — name the endpoint of that region, or leave it out"
        )
    if found and settings.s3_region not in EU_REGIONS:
        raise SettingsError(
            f"DSK_S3_REGION is {settings.s3_region!r}, which is not a known EU region: donated "
            f"data may not leave the EU. Use one of {', '.join(sorted(EU_REGIONS))}."
        )
    return settings


def _check_address(url: str) -> None:
    """Whether events can be sent to *url*; :class:`SettingsError` otherwise."""
    try:
        address = urlsplit(url)
        usable = address.scheme in ("http", "https") and address.hostname and address.port != 0
    except ValueError:
        address, usable = urlsplit(""), False
    if address.username or address.password:
        raise SettingsError(
            "DSK_OPENLINEAGE_URL holds a name or password, and addresses are shown in reports — "
            "give a token in DSK_OPENLINEAGE_TOKEN instead"
        )
    if url and (not usable or not url.isprintable() or " " in url):
        raise SettingsError(
            f"DSK_OPENLINEAGE_URL is {url!r}: name an http or https address, "
            "such as http://127.0.0.1:5000/api/v1/lineage"
        )
