"""The published records, one module each: ``render(facts)`` gives its files by name.

A module in this package is a record; nothing else needs to be said of it anywhere. A record that
does not apply to a release, such as a model card before training, gives no files.
"""

import importlib
import pkgutil
from collections.abc import Iterator

from dsk_assets.records.facts import Facts


def names() -> list[str]:
    """Names of all records, sorted."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def render_all(facts: Facts) -> Iterator[tuple[str, bytes]]:
    """Name, below a folder for each record, and content of every file of every record."""
    for name in names():
        record = importlib.import_module(f"{__name__}.{name}")
        for file, content in sorted(record.render(facts).items()):
            yield f"{name}/{file}", content
