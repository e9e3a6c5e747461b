"""Ways to tamper with evidence, as somebody with access to the files would."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dsk_assets.evidence.envelope import seal
from dsk_assets.lake.digests import canonical_json


def flip(path: Path, position: int = -1) -> None:
    """Change one bit of a file."""
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(data)


def statement(path: Path) -> dict[str, Any]:
    """The statement in an envelope."""
    content: dict[str, Any] = json.loads(base64.b64decode(json.loads(path.read_bytes())["payload"]))
    return content


def edit(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change a statement and leave its signatures as they are."""
    envelope = json.loads(path.read_bytes())
    content = statement(path)
    change(content)
    envelope["payload"] = base64.b64encode(canonical_json(content)).decode()
    path.write_bytes(canonical_json(envelope))


def sign_anew(path: Path, content: dict[str, Any], *signers: Any) -> None:
    """Write *content*, signed by *signers*, in place of what was there."""
    path.write_bytes(seal(content, signers).as_bytes())


def inputs(content: dict[str, Any]) -> list[dict[str, Any]]:
    """The inputs that a statement names."""
    named: list[dict[str, Any]] = content["predicate"]["buildDefinition"]["resolvedDependencies"]
    return named
