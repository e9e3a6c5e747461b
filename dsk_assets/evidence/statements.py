"""Statements: what was made, from what exactly, by which code, when and where.

An in-toto Statement v1 (https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md)
with an SLSA provenance v1 predicate (https://slsa.dev/spec/v1.0/provenance). Its subjects are the
files that were written, its ``resolvedDependencies`` the complete list of inputs.
"""

import base64
import datetime as dt
import platform
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from dsk_assets.lake.digests import canonical_json, sha256_bytes, sha256_json
from dsk_assets.settings import PROJECT_ROOT

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "urn:dsk:build:asset-materialisation:v1"
CODE = ("dsk_assets", "dbt_project", "expectations", "pyproject.toml", "requirements.lock")
"""What decides how assets are made, in a checkout."""

PACKAGES = (
    "dbt-core",
    "dsk-assets",
    "duckdb",
    "great-expectations",
    "lingua-language-detector",
    "numpy",
    "polars",
    "presidio-analyzer",
    "pyarrow",
    "rensa",
    "tokenizers",
    "transformers",
)


@dataclass(frozen=True)
class Source:
    """An input from outside the lake: a delivered folder, a consortium file, a base model."""

    name: str
    digest: str

    def dependency(self) -> dict[str, Any]:
        """This input as a resource descriptor of in-toto."""
        return {"uri": f"dsk-source:{self.name}", "digest": {"sha256": self.digest}}


@dataclass(frozen=True)
class WrittenFile:
    """A file below a materialisation's folder: its *name* there, SHA-256, size and rows."""

    name: str
    sha256: str
    bytes: int
    rows: int | None = None


def build(
    *,
    asset: str,
    partition: str | None,
    folder: str,
    files: Sequence[WrittenFile],
    dependencies: Sequence[Mapping[str, Any]],
    config: Mapping[str, Any],
    code_version: str,
    fingerprint: str,
    counts: Mapping[str, Any],
    run_id: str,
    country: str,
    region: str | None,
    started: dt.datetime,
    finished: dt.datetime,
    previous: str | None,
    byproducts: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """The statement of one materialisation.

    *previous* is the SHA-256 of the asset partition's statement before this one, so that each
    partition's statements form a chain. *country* is where this host stands, *region* the storage
    region of a lake in S3. *counts* are numbers, or names with numbers: never text.
    """
    return {
        "_type": STATEMENT_TYPE,
        "subject": [
            {
                "name": f"{folder}/{file.name}",
                "digest": {"sha256": file.sha256},
                "annotations": {"bytes": file.bytes}
                | ({} if file.rows is None else {"rows": file.rows}),
            }
            for file in files
        ],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {"asset": asset, "partition": partition},
                "internalParameters": {
                    "codeVersion": code_version,
                    "config": config,
                    "fingerprint": fingerprint,
                },
                "resolvedDependencies": list(dependencies),
            },
            "runDetails": {
                "builder": {"id": "urn:dsk:platform", "version": package_versions()},
                "metadata": {
                    "invocationId": run_id,
                    "startedOn": timestamp(started),
                    "finishedOn": timestamp(finished),
                },
                **({"byproducts": list(byproducts)} if byproducts else {}),
            },
            "dsk": {
                "folder": folder,
                "counts": dict(counts),
                "code": code_revision(),
                "configDigest": sha256_json(config),
                "inputsDigest": sha256_json(named_inputs(dependencies)),
                "country": country,
                "region": region,
                "previous": previous,
            },
        },
    }


def byproduct(name: str, content: Mapping[str, Any]) -> dict[str, Any]:
    """A small document as a resource descriptor of in-toto that holds it whole."""
    data = canonical_json(content)
    return {
        "name": name,
        "mediaType": "application/json",
        "digest": {"sha256": sha256_bytes(data)},
        "content": base64.b64encode(data).decode(),
    }


def named_inputs(dependencies: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """Address and digest of each input, sorted: what a fingerprint and ``inputsDigest`` cover."""
    return sorted([one["uri"], one["digest"]["sha256"]] for one in dependencies)


def timestamp(moment: dt.datetime) -> str:
    """*moment* as statements write it: UTC, in milliseconds."""
    return moment.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@cache
def package_versions() -> dict[str, str]:
    """Versions of Python and of the packages whose code decides what is written."""
    found = {"python": platform.python_version()} | {name: version(name) for name in PACKAGES}
    with suppress(PackageNotFoundError):
        found["torch"] = version("torch")
    return found


@cache
def code_revision() -> dict[str, Any]:
    """The commit of the running code and whether that was changed since; empty outside git.

    What else lies in the checkout, such as an export, changes no code.
    """
    git = ["git", "-C", str(PROJECT_ROOT)]
    try:
        commit = subprocess.run(
            [*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True
        ).stdout.strip()
        changed = subprocess.run(
            [*git, "status", "--porcelain", "--", *CODE], capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return {}
    return {"commit": commit, "dirty": bool(changed.strip())}
