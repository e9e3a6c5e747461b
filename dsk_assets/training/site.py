"""``site.yaml`` of the consortium's folder: the computing site where models are trained.

Without the file training runs on this host. The file decides where and how a run is done, and
nothing of what is trained, so it is no part of a checkpoint's configuration.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from dsk_assets.consortium.policy import Section
from dsk_assets.consortium.reading import read_config, read_yaml
from dsk_assets.errors import SettingsError
from dsk_assets.settings import EU_COUNTRIES

FILE = "site.yaml"
Digest = Callable[[str], str | None]
"""The SHA-256 of a file at the site; None where there is none."""
_PLAIN = r"^[\w./:@+,=-]+$"
"""Names and paths that need no quoting in a shell."""


class ByHand(Section):
    """A site that the platform cannot reach: ``dsk training send`` and ``receive``."""

    name: str = Field(pattern=r"^[\w-]+$")
    transfer: Literal["by hand"]
    country: str | None = None
    """Where it is, as agreed with it; without it the country that a receipt names is believed."""

    @model_validator(mode="after")
    def _in_the_eu(self) -> "ByHand":
        if self.country is not None:
            _require_eu(self.country)
        return self


class Site(Section):
    """A Slurm cluster that this host is part of, as a login node of LUMI is, or reaches by ssh."""

    name: str = Field(pattern=r"^[\w-]+$")
    country: str
    """Where the machines stand: an EU member state, by ISO 3166-1."""
    ssh: str | None = Field(None, pattern=r"^[\w.@-]+$")
    """Host of the cluster, as ``ssh`` knows it; without it this host has the cluster's files."""
    folder: str = Field(pattern=_PLAIN)
    """Folder on the cluster's file system that job folders are copied to; absolute."""
    partition: str | None = Field(None, pattern=_PLAIN)
    account: str | None = Field(None, pattern=_PLAIN)
    time_limit: str = Field(pattern=r"^[\d:-]+$")
    """As Slurm writes it, such as ``2-00:00:00``; a run that needs longer goes on in a new job."""
    signal_before: int = Field(120, ge=1)
    """Seconds before the time limit at which a job is told to stop."""
    nodes: int = Field(1, ge=1)
    cpus: int = Field(1, ge=1)
    """Cores on each node."""
    gpus_per_node: int = Field(0, ge=0)
    memory: str = Field(pattern=r"^\d+[KMGT]?$")
    """Memory of each node, such as ``480G``; a job that names none takes the whole node."""
    python: str = Field("python3", pattern=_PLAIN)
    """The interpreter, inside the container where there is one."""
    setup: tuple[str, ...] = ()
    """Shell lines that come first, such as ``module load``."""
    container: str | None = Field(None, pattern=_PLAIN)
    """Singularity image (SIF) in which the payload runs."""
    container_sha256: str | None = Field(None, pattern=r"^[0-9a-f]{64}$")
    container_options: tuple[str, ...] = ()
    """Options of ``singularity exec``, such as ``--rocm``."""
    script: str | None = Field(None, pattern=_PLAIN)
    """A script of the site's own that is run instead of the payload, with ``DSK_JOB`` set."""
    script_config: str | None = Field(None, pattern=_PLAIN)
    """The configuration that this script reads, such as a TOML file; given in ``DSK_CONFIG``."""

    @model_validator(mode="after")
    def _consistent(self) -> "Site":
        _require_eu(self.country)
        if (self.container is None) != (self.container_sha256 is None):
            raise ValueError("needs container_sha256, the image's digest, with container")
        if self.script is None and self.script_config is not None:
            raise ValueError("needs script, which reads script_config")
        if not Path(self.folder).is_absolute():
            raise ValueError("needs an absolute folder")
        return self

    def checked(self, processes: int, digest: Digest) -> None:
        """Whether it can run that many processes and its files are the ones named.

        *digest* gives that of a file there. Raises :class:`SettingsError` otherwise.
        """
        if processes % self.nodes:
            raise SettingsError(
                f"{FILE}: nodes is {self.nodes}, which does not divide the {processes} processes "
                "of training.yaml — change one of them"
            )
        if self.container is not None and digest(self.container) != self.container_sha256:
            raise SettingsError(
                f"{FILE}: container {self.container} is missing or has another digest than "
                "container_sha256 — copy the image again, or name the digest of the new one"
            )
        for own in (self.script, self.script_config):
            if own is not None and digest(own) is None:
                raise SettingsError(f"{FILE}: there is no file {own} — correct its name")

    def own_payload(self, digest: Digest) -> dict[str, str | None]:
        """Digests of the site's own script and its configuration, where it has them."""
        named = {"ownScript": self.script, "ownConfig": self.script_config}
        return {name: digest(path) for name, path in named.items() if path}


def _require_eu(country: str) -> None:
    if country not in EU_COUNTRIES:
        raise ValueError(
            f"needs a country in the EU, and {country!r} is none: donated data may not leave the EU"
        )


def load_site(consortium: Path) -> Site | ByHand | None:
    """The consortium's ``site.yaml``; None without one."""
    path = consortium / FILE
    if not path.exists():
        return None
    content = read_yaml(path)
    by_hand = isinstance(content, dict) and "transfer" in content
    return read_config(path, ByHand) if by_hand else read_config(path, Site)
