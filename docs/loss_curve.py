"""Draw the loss of the newest run in ``DSK_HOME``: ``python docs/loss_curve.py FOLDER``."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from dsk_assets.evidence.catalog import Catalog  # noqa: E402
from dsk_assets.settings import load_settings  # noqa: E402
from dsk_assets.training.plot import loss_curve  # noqa: E402
from dsk_assets.training.run import RUN  # noqa: E402


def main(folder: str) -> None:
    """Write ``loss.svg``, the picture that Dagster shows on the page of ``training/run``."""
    catalog = Catalog(load_settings())
    run = catalog.require(RUN, catalog.partitions(RUN)[-1])
    drawn = loss_curve(run.table("loss").to_pylist(), run.table("held_out").to_pylist())
    (Path(folder) / "loss.svg").write_text(drawn + "\n", "utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
