"""The published steps of dfm-processing in datatrove; runs in datatrove's own environment.

    python benchmarks/datatrove_chain.py filters|duplicates|chain INPUT OUTPUT WORKERS LID_MODEL

Repair of encodings, language, Gopher's repetition and quality, FineWeb, C4; then MinHash in four
stages. Thresholds are those of rule set dfm-2025-v1. C4 comes last, because it changes the text
that the others would judge. LID_MODEL is a fastText model file; nothing is downloaded.
"""

import sys
from pathlib import Path

from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.base import PipelineStep
from datatrove.pipeline.dedup import MinhashDedupCluster, MinhashDedupFilter, MinhashDedupSignature
from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupBuckets
from datatrove.pipeline.filters import (
    C4QualityFilter,
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
    LanguageFilter,
)
from datatrove.pipeline.formatters import FTFYFormatter
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers import JsonlWriter
from datatrove.utils.hashing import HashConfig
from datatrove.utils.lid import FT176LID

STOP_WORDS = [
    *("i", "og", "af", "en", "til", "er", "den", "at", "som", "på"),
    *("for", "med", "det", "blev", "var", "der", "fra", "de", "han", "et"),
]
CONFIG = MinhashConfig(
    n_grams=5, num_buckets=14, hashes_per_bucket=8, hash_config=HashConfig(precision=64)
)


def run(steps: list[PipelineStep], folder: Path, name: str, tasks: int, workers: int) -> None:
    """Run *steps* on this machine."""
    LocalPipelineExecutor(
        steps,
        tasks=tasks,
        workers=workers,
        logging_dir=str(folder / "logs" / name),
        start_method="fork",
    ).run()


def filters(source: Path, folder: Path, workers: int, model: str) -> None:
    """The filters: what is kept lies in ``kept``, what each dropped in ``dropped``."""
    language = LanguageFilter("da", 0.65, _dropped(folder, "language"))
    _provide(model)
    steps = [
        JsonlReader(str(source), glob_pattern="corpus-*.jsonl"),
        FTFYFormatter(),
        language,
        GopherRepetitionFilter(language="dan", exclusion_writer=_dropped(folder, "repetition")),
        GopherQualityFilter(
            max_non_alpha_words_ratio=0.75,
            stop_words=STOP_WORDS,
            language="dan",
            exclusion_writer=_dropped(folder, "quality"),
        ),
        FineWebQualityFilter(language="dan", exclusion_writer=_dropped(folder, "fineweb")),
        C4QualityFilter(language="dan", exclusion_writer=_dropped(folder, "c4")),
        JsonlWriter(str(folder / "kept"), compression=None),
    ]
    run(steps, folder, "filters", len(list(source.glob("corpus-*.jsonl"))), workers)


def duplicates(source: Path, folder: Path, workers: int) -> None:
    """MinHash; what is left lies in ``folder/unique``."""
    tasks = len(list(source.glob("*.jsonl")))
    reader = JsonlReader(str(source), glob_pattern="[0-9c]*.jsonl")
    places = {name: str(folder / name) for name in ("signatures", "buckets", "remove", "unique")}
    signature = MinhashDedupSignature(places["signatures"], config=CONFIG, language="dan")
    buckets = MinhashDedupBuckets(places["signatures"], places["buckets"], config=CONFIG)
    cluster = MinhashDedupCluster(places["buckets"], places["remove"], config=CONFIG)
    left = MinhashDedupFilter(places["remove"])
    run([reader, signature], folder, "signatures", tasks, workers)
    run([buckets], folder, "buckets", CONFIG.num_buckets, workers)
    run([cluster], folder, "cluster", 1, 1)
    writer = JsonlWriter(places["unique"], compression=None)
    run([reader, left, writer], folder, "unique", tasks, workers)


def _dropped(folder: Path, name: str) -> JsonlWriter:
    return JsonlWriter(str(folder / "dropped" / name), compression=None)


def _provide(model: str) -> None:
    """Have the workers, which are forked, read *model* instead of downloading one."""
    from fasttext.FastText import _FastText

    loaded = _FastText(model)
    FT176LID.model = property(lambda self: loaded)


def main(what: str, source: Path, folder: Path, workers: int, model: str) -> None:
    """Run one or both halves."""
    if what in ("filters", "chain"):
        filters(source, folder, workers, model)
    if what in ("duplicates", "chain"):
        duplicates(folder / "kept" if what == "chain" else source, folder, workers)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]), sys.argv[5])
