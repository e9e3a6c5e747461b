"""What tokenising and packing cost, beside datatrove and beside ``tokenizers`` alone.

    python benchmarks/tokenising.py --megabytes 30 --datatrove PYTHON

Same texts, same tokenizer, one after the other, a process for each: the stage ``corpus/shards``
from a donation's kept documents to its shards and span table, datatrove's ``DocumentTokenizer``
from a Parquet file to its token file and index, and ``encode_batch`` over the texts in memory.
PYTHON is the interpreter of an environment with ``datatrove[io,processing]==0.10.1``. Costs are CPU
seconds after all was imported and loaded, of all threads. Each counts the tokens that it made, and
a run in which they differ fails. ``--megabytes`` may be given several times.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import polars as pl
import pyarrow as pa

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from labelled import write  # noqa: E402

from dsk_assets.corpus.config import load_corpus  # noqa: E402
from dsk_assets.corpus.encoding import encode_documents  # noqa: E402
from dsk_assets.corpus.kept import KeptDocuments  # noqa: E402
from dsk_assets.corpus.shards import ShardWriter  # noqa: E402
from dsk_assets.corpus.tokenizer import FILE, Vocabulary, _ready, _train  # noqa: E402
from dsk_assets.evidence.catalog import Catalog, Output, Snapshot  # noqa: E402
from dsk_assets.lake.store import Zone  # noqa: E402
from dsk_assets.settings import load_settings  # noqa: E402

END = "<|endoftext|>"
SHARD_TOKENS = 2**26
WHAT = ("this project", "datatrove", "`encode_batch` alone")


@click.group(invoke_without_command=True)
@click.option("--megabytes", multiple=True, type=float, default=[1.0, 10.0, 30.0])
@click.option("--vocabulary", default=32_000)
@click.option("--repeat", default=3)
@click.option("--datatrove", type=click.Path(exists=True))
@click.pass_context
def main(
    context: click.Context,
    megabytes: tuple[float, ...],
    vocabulary: int,
    repeat: int,
    datatrove: str,
) -> None:
    """Measure all three, several times in turn; the least of each counts."""
    if context.invoked_subcommand:
        return
    click.echo(f"CPU seconds, {vocabulary:,} in the vocabulary, the least of {repeat} runs\n")
    click.echo(f"| MB | tokens | {' | '.join(WHAT)} | datatrove / this | this / `encode_batch` |")
    click.echo("|---:" * 7 + "|")
    for size in megabytes:
        tokens, best = _measured(size, vocabulary, repeat, datatrove)
        one, other, alone = best
        seconds = " | ".join(f"{taken:.2f}" for taken in best)
        ratios = f"{other / one:.1f} | {one / alone:.2f}"
        click.echo(f"| {size:g} | {tokens:,} | {seconds} | {ratios} |")


def _measured(
    megabytes: float, vocabulary: int, repeat: int, datatrove: str
) -> tuple[int, list[float]]:
    """The number of tokens and the least CPU seconds of each of :data:`WHAT`."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _prepare(folder, megabytes, vocabulary)
        theirs = str(ROOT / "benchmarks" / "datatrove_tokens.py")
        commands = [
            [sys.executable, __file__, "shards", name],
            [datatrove, theirs, f"{name}/parquet", f"{name}/theirs", f"{name}/{FILE}"],
            [sys.executable, __file__, "alone", name],
        ]
        runs = [[_run(command) for command in commands] for _ in range(repeat)]
    counted = {what: run[place][0] for run in runs for place, what in enumerate(WHAT)}
    if len(set(counted.values())) != 1:
        raise click.ClickException(f"they made different numbers of tokens: {counted}")
    return runs[0][0][0], [min(run[place][1] for run in runs) for place in range(len(WHAT))]


def _run(command: list[str]) -> tuple[int, float]:
    """The number of tokens and the seconds that *command* prints."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise click.ClickException(f"{command} failed:\n{done.stderr[-3000:]}")
    tokens, seconds = done.stdout.split()[-2:]
    return int(tokens), float(seconds)


def _prepare(folder: Path, megabytes: float, size: int) -> None:
    """Write the documents as a lake's tables and for datatrove, and train the tokenizer."""
    texts = pl.read_ndjson(write(folder / "corpus", megabytes)).select("text", doc_id="id")
    (folder / "parquet").mkdir()
    texts.write_parquet(folder / "parquet" / "documents.parquet")
    config = load_corpus(load_settings().consortium).tokenizer
    trained = _train(config.model_copy(update={"vocab_size": size}), texts["text"].to_list())
    trained.save(str(folder / FILE))


def _texts(folder: Path) -> list[str]:
    return pl.read_parquet(folder / "parquet")["text"].to_list()


def _vocabulary(folder: Path) -> Vocabulary:
    return _ready(folder / FILE, END)


@main.command()
@click.argument("folder", type=click.Path(path_type=Path))
def alone(folder: Path) -> None:
    """``encode_batch`` over all texts; their ends count as tokens, since the others write them."""
    texts, made = _texts(folder), _vocabulary(folder)
    began = time.process_time()
    encoded = made.tokenizer.encode_batch(texts, add_special_tokens=False)
    seconds = time.process_time() - began
    _report(sum(len(one.ids) + 1 for one in encoded), seconds)


@main.command()
@click.argument("folder", type=click.Path(path_type=Path))
def shards(folder: Path) -> None:
    """The work of ``corpus/shards``: read, sort, encode, pack, digest, write."""
    with tempfile.TemporaryDirectory(dir=folder) as home:
        catalog = Catalog(load_settings(home=Path(home)))
        table = pl.read_parquet(folder / "parquet").with_columns(
            kept=True, n_char=pl.col("text").str.len_chars().cast(pl.Int64)
        )
        kept = KeptDocuments(
            decisions=_table(catalog, "filtering/decisions", "decision", table["doc_id", "kept"]),
            documents=_table(
                catalog, "filtering/personal_data", "document", table["doc_id", "n_char", "text"]
            ),
            scratch=Path(home),
        )
        made = _vocabulary(folder)
        out = Output(catalog.lake, "curated/benchmark")
        writer = ShardWriter(out, "benchmark", SHARD_TOKENS)
        pa.array([""])  # has pyarrow import pandas
        began = time.process_time()
        writer.write(encode_documents(made, kept.texts()))
        seconds = time.process_time() - began
        _report(sum(shard["tokens"] for shard in writer.shards), seconds)


def _report(tokens: int, seconds: float) -> None:
    click.echo(f"{tokens} {seconds}")


def _table(catalog: Catalog, asset: str, name: str, rows: pl.DataFrame) -> Snapshot:
    def produce(out: Output) -> None:
        out.table(name, [rows.to_arrow()], rows.to_arrow().schema)

    return catalog.materialise(
        asset, "benchmark@1.0.0", zone=Zone.CURATED, inputs=[], config={},
        code_version="benchmark", produce=produce,
    )  # fmt: skip


if __name__ == "__main__":
    main()
