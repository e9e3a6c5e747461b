"""The file ``donation.yaml``: reading it, and filling in its list of files."""

import re
from collections import Counter
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from dsk_assets.errors import DonationError
from dsk_assets.intake.manifest import FileEntry, Manifest
from dsk_assets.intake.manifest_problems import problems_of
from dsk_assets.intake.sniff import sniff
from dsk_assets.intake.sources import Source
from dsk_assets.lake.digests import sha256_file

NAME = "donation.yaml"
MAX_TOLD = 50
"""How many problems of a delivery are told at once."""
MAX_BYTES = 256 * 1024 * 1024
UNLISTED = re.compile(r"(donation\.yaml|(SOURCE|README)\.md|LICEN[SC]E[^/]*)|(.*/)?\.DS_Store")
"""What may lie in a donation's folder without being part of the donation."""


MAX_NESTING = 50
_NESTING = {"[": 1, "{": 1, "]": -1, "}": -1}
"""How brackets open and close; the parser in C does not survive thousands of open ones."""


class _Loader(yaml.CSafeLoader):
    """YAML whose plain scalars stay text, but for true, false and null.

    So a company number, a version, a date and the language ``no`` are what the donor typed.
    """

    yaml_implicit_resolvers: dict[Any, Any] = {}  # noqa: RUF012 (the name is PyYAML's)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        names = Counter(key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode))
        for name, times in names.items():
            if times > 1:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the field {name} stands twice", node.start_mark
                )
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:null", re.compile(r"^(~|null|Null|NULL|)$"), ["~", "n", "N", ""]
)


def read_manifest(path: Path) -> Manifest:
    """The manifest in *path* (the file, or the folder that holds it).

    Raises :class:`DonationError` that tells every problem, one a line: the field, its value
    (but not of fields about a person) and what to do.
    """
    path = path / NAME if path.is_dir() else path
    try:
        return Manifest.model_validate(_load(path))
    except ValidationError as error:
        raise DonationError(
            f"the manifest cannot be accepted: {path} — correct {_fields_of(error)}:\n"
            + listed(list(problems_of(error, Manifest)))
        ) from None


def listed(problems: list[str]) -> str:
    """The first of *problems*, one a line, and how many more there are."""
    lines = [f"  {problem}" for problem in problems[:MAX_TOLD]]
    more = len(problems) - len(lines)
    return "\n".join([*lines, *([f"  … and {more} more"] if more else [])])


def _fields_of(error: ValidationError) -> str:
    """The first fields that are wrong, by their names and without values, for the log."""
    fields = dict.fromkeys(str(part["loc"][0]) for part in error.errors() if part["loc"])
    known = [field for field in fields if field in Manifest.model_fields]
    return ", ".join(known) or "its fields"


def _load(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise DonationError(
            f"there is no manifest: {path} — write a {NAME} beside the files; `dsk manifest` "
            "fills in its list of files"
        )
    if path.stat().st_size > MAX_BYTES:
        raise DonationError(
            f"the manifest is too large: {path} — pack many small files into a ZIP or JSON Lines"
        )
    try:
        text = path.read_text("utf-8-sig")
        if max(accumulate(_NESTING.get(mark, 0) for mark in text), default=0) > MAX_NESTING:
            raise DonationError(f"the manifest is nested too deeply: {path} — write it plainly")
        if "&" in text and any(isinstance(e, yaml.AliasEvent) for e in yaml.parse(text, _Loader)):
            raise DonationError(f"the manifest uses YAML aliases: {path} — write each value out")
        content = yaml.load(text, _Loader)
    except UnicodeDecodeError:
        raise DonationError(
            f"the manifest is not UTF-8: {path} — save it in the encoding UTF-8"
        ) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f", line {mark.line + 1}" if mark else ""
        raise DonationError(
            f"the manifest is not readable YAML: {path}{where}: {error.problem} — correct that line"
        ) from None
    except (yaml.YAMLError, RecursionError):
        raise DonationError(
            f"the manifest is not readable YAML: {path} — save it as plain YAML text"
        ) from None
    if not isinstance(content, dict):
        raise DonationError(f"the manifest holds no fields: {path} — see the example donations")
    return content


def donated_files(folder: Path) -> Iterator[str]:
    """Relative paths of the files in *folder* that are part of the donation, sorted."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if (path.is_symlink() or not path.is_dir()) and not UNLISTED.fullmatch(name):
            yield name


def describe_files(folder: Path) -> list[FileEntry]:
    """The section ``files`` for a donation's folder: digests, sizes and types, from the bytes."""
    entries = []
    for name in donated_files(folder):
        entries.append(_describe(folder, name))
    return entries


def _describe(folder: Path, name: str) -> FileEntry:
    path = folder / name
    if path.is_symlink() or not path.is_file():
        raise DonationError(f"not a plain file: {path} — put the file itself in its place")
    source = Source.of_file(path, name)
    try:
        return FileEntry(
            path=name,
            sha256=sha256_file(path),
            bytes=path.stat().st_size,
            media_type=sniff(source),
            compression=source.compression,
        )
    except ValidationError:
        raise DonationError(
            f"a file's name cannot be written in a manifest: {name!a} in {folder} — rename it"
        ) from None


def write_files_section(folder: Path) -> list[FileEntry]:
    """Write the section ``files`` of *folder*'s manifest anew; the rest of it stays as it is.

    Raises :class:`DonationError` where there is no manifest or no file.
    """
    path = folder / NAME
    _load(path)
    entries = describe_files(folder)
    if not entries:
        raise DonationError(f"there are no files to donate: {folder} — put them in this folder")
    section = yaml.safe_dump(
        {"files": [entry.model_dump(exclude_none=True) for entry in entries]},
        sort_keys=False,
        allow_unicode=True,
        width=1000,
    )
    text = path.read_text("utf-8-sig")
    old = re.compile(r"^files:.*\n?(?:(?:[ \t-].*|#.*)?(?:\n|\Z))*?(?=^[^\s#-]|\Z)", re.MULTILINE)
    if old.search(text):
        text = old.sub(lambda _: section, text, count=1)
    else:
        text = text.rstrip("\n") + "\n" + section
    temporary = path.with_name(f".{NAME}.new")
    temporary.write_text(text, "utf-8")
    temporary.replace(path)
    return entries
