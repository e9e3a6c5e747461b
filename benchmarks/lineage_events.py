"""What events of lineage cost: ``python benchmarks/lineage_events.py [DONATIONS]``.

Writes a lake of small materialisations, four for each donation and a release that reads them all,
then delivers their events to the file and once more. Prints CPU milliseconds for each event, as
a ratio to the cost of the materialisation itself, and for the event with the largest fan-in.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

STEPS = ("donations/documents", "filtering/personal_data", "filtering/decisions", "corpus/shards")


def cpu(work: Callable[[], Any]) -> tuple[float, Any]:
    """CPU milliseconds of *work*, and what it returns."""
    start = time.process_time()
    result = work()
    return (time.process_time() - start) * 1000, result


def fill(catalog: Any, donations: int) -> int:
    """Materialise the steps of each donation and a release; returns how many were made."""
    import pyarrow as pa

    from dsk_assets.lake.store import Zone

    table = pa.table({"doc_id": ["a"], "text": ["b"], "n_char": [1]})

    def make(asset: str, partition: str, inputs: list[Any]) -> Any:
        return catalog.materialise(
            asset, partition, zone=Zone.CURATED, inputs=inputs, config={}, code_version="1",
            produce=lambda out: out.table("document", [table], table.schema),
        )  # fmt: skip

    shards = []
    for number in range(donations):
        inputs: list[Any] = []
        for step in STEPS:
            inputs = [make(step, f"dsk-2026-{number:04d}@1.0.0", inputs)]
        shards += inputs
    make("corpus/release", "1.0.0", shards)
    return donations * len(STEPS) + 1


def main(donations: int) -> None:
    """Fill a lake, deliver twice, print what it cost."""
    from dsk_assets.evidence.catalog import Catalog
    from dsk_assets.evidence.openlineage.delivery import deliver
    from dsk_assets.evidence.openlineage.events import Projector
    from dsk_assets.settings import load_settings

    with tempfile.TemporaryDirectory(prefix="dsk-bench-") as folder:
        catalog = Catalog(load_settings(home=Path(folder)))
        made, count = cpu(lambda: fill(catalog, donations))
        first, report = cpu(lambda: deliver(catalog))
        again, _ = cpu(lambda: deliver(catalog))
        release = catalog.require("corpus/release", "1.0.0")
        wide, _ = cpu(lambda: Projector(catalog).event(release))
        size = report.file.stat().st_size
    assert report.events == report.receivers[0].delivered == count
    print(f"{count} materialisations: {made / count:.2f} CPU ms each")
    print(
        f"their events, projected and delivered: {first / count:.2f} CPU ms each "
        f"({first / made:.2f} of the materialisation), {size / count / 1000:.1f} kB each"
    )
    print(f"a second delivery, with nothing to send: {again:.0f} CPU ms")
    print(f"the event with {donations} inputs: {wide:.0f} CPU ms")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 300)
