"""Shards: every token belongs to exactly one document, and nothing of a document is missing."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsk_assets.corpus.encoding import EncodedDocument, encode_documents
from dsk_assets.corpus.shards import ShardWriter, shard_file, shards
from dsk_assets.corpus.tokenizer import tokenizer, vocabulary
from dsk_assets.errors import NotAdmittedError
from dsk_assets.evidence.catalog import Catalog, Output, Snapshot
from dsk_assets.lake.digests import sha256_bytes
from tests.corpora import CORPUS, donate, open_catalog, texts, write
from tests.support import admit

A, B = "dsk-2026-0001@1.0.0", "dsk-2026-0002@1.0.0"


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return open_catalog(tmp_path)


def documents_in(catalog: Catalog, made: Snapshot) -> dict[str, str]:
    """The texts that the shards hold, by ``doc_id``, read through the span table."""
    words = vocabulary(catalog.require("corpus/tokenizer"))
    found = {}
    for shard in made.table("shard").to_pylist():
        tokens = np.fromfile(made.path(shard_file(shard["shard"])), np.dtype(shard["dtype"]))
        assert len(tokens) == shard["tokens"]
        spans = made.table("shard_span").filter(pa.compute.field("shard") == shard["shard"])
        assert spans["start"].to_pylist() == [0, *spans["end"].to_pylist()[:-1]]
        assert spans["end"].to_pylist()[-1] == len(tokens)
        assert spans["seq"].to_pylist() == list(range(shard["documents"]))
        for span in spans.to_pylist():
            document = tokens[span["start"] : span["end"]]
            assert document[-1] == words.end_of_text
            found[span["doc_id"]] = words.decode(document[:-1])
    return found


def test_shards_hold_every_kept_document_whole_and_no_other(catalog: Catalog) -> None:
    contents = texts("a", 30) | {f"{7:032d}": "", f"{8:032d}": "\x00<|endoftext|>\r\n"}
    dropped = list(contents)[3:9]
    donate(catalog, A, contents, dropped=dropped)
    tokenizer(catalog)
    made = shards(catalog, A)
    kept = {doc_id: text for doc_id, text in contents.items() if doc_id not in dropped}
    assert documents_in(catalog, made) == kept
    assert made.table("shard_span")["doc_id"].to_pylist() == sorted(kept)
    assert dict(made.counts) == {
        "documents": len(kept),
        "tokens": sum(made.table("shard")["tokens"].to_pylist()),
        "shards": made.table("shard").num_rows,
        "characters": sum(map(len, kept.values())),
    }
    assert made.counts["shards"] > 2


@settings(max_examples=50, deadline=None)
@given(
    lengths=st.lists(st.integers(0, 900), min_size=1, max_size=12),
    target=st.integers(1, 1200),
)
def test_a_document_never_crosses_shards(
    tmp_path_factory: pytest.TempPathFactory, lengths: list[int], target: int
) -> None:
    catalog = open_catalog(tmp_path_factory.mktemp("writer"))
    out = Output(catalog.lake, "curated/test")
    writer = ShardWriter(out, "dsk-2026-0001", target)
    encoded = [
        EncodedDocument(str(n), 1, np.full(length + 1, n, np.dtype("<u2")))
        for n, length in enumerate(lengths)
    ]
    writer.write(encoded)
    parts = sorted(Path(catalog.lake.root).glob("curated/test/shard_span/*.parquet"))
    assert len(parts) == len(writer.shards)
    spans = pa.concat_tables(map(pq.read_table, parts)).to_pylist()
    assert [span["doc_id"] for span in spans] == [str(n) for n in range(len(lengths))]
    for span in spans:
        assert span["end"] - span["start"] == lengths[int(span["doc_id"])] + 1
    for shard in writer.shards:
        assert shard["tokens"] <= target or shard["documents"] == 1
    for before, after in zip(writer.shards, writer.shards[1:], strict=False):
        first = next(span for span in spans if span["shard"] == after["shard"])
        assert before["tokens"] + first["end"] > target


def test_the_table_names_the_bytes_of_each_file(catalog: Catalog) -> None:
    donate(catalog, A, texts("a", 30))
    tokenizer(catalog)
    made = shards(catalog, A)
    for shard in made.table("shard").to_pylist():
        content = made.path(shard_file(shard["shard"])).read_bytes()
        assert sha256_bytes(content) == shard["sha256"]
        assert len(content) == 2 * shard["tokens"]
        assert shard["dtype"] == "uint16"
        assert shard["donation_id"] == "dsk-2026-0001"
        named = json.dumps(
            {name: value for name, value in shard.items() if name != "leaf"},
            sort_keys=True, separators=(",", ":"),
        )  # fmt: skip
        assert shard["leaf"] == sha256_bytes(b"\0" + named.encode())


def test_a_large_vocabulary_takes_four_bytes_a_token(catalog: Catalog) -> None:
    from tokenizers import Tokenizer

    donate(catalog, A, texts("a", 5))
    trained = Tokenizer.from_str(tokenizer(catalog).path("tokenizer.json").read_text("utf-8"))
    trained.add_tokens([f"~{n}~" for n in range(2**16)])
    (catalog.settings.consortium / "large.json").write_text(trained.to_str(), "utf-8")
    choice = {"name": "large", "version": "1", "given": "large.json"}
    write(catalog.settings.consortium / "corpus.yaml", CORPUS | {"tokenizer": choice})
    donate(catalog, B, {f"{1:032d}": f"~{2**16 - 1}~ til sidst"})
    tokenizer(catalog)
    made = shards(catalog, B)
    assert made.table("shard")["dtype"].to_pylist() == ["uint32"]
    assert documents_in(catalog, made) == {f"{1:032d}": f"~{2**16 - 1}~ til sidst"}
    assert np.fromfile(made.path(shard_file(0)), "<u4").max() >= 2**16


def test_a_donation_without_kept_documents_has_empty_tables(catalog: Catalog) -> None:
    donate(catalog, A, texts("a", 5))
    donate(catalog, B, texts("b", 3), dropped=list(texts("b", 3)))
    tokenizer(catalog)
    made = shards(catalog, B)
    assert dict(made.counts) == {"documents": 0, "tokens": 0, "shards": 0, "characters": 0}
    assert made.table("shard").num_rows == made.table("shard_span").num_rows == 0
    assert made.table("shard").column_names == [
        "shard", "donation_id", "tokens", "documents", "sha256", "dtype", "leaf",
    ]  # fmt: skip


def test_rebuilding_gives_the_same_digest(tmp_path: Path) -> None:
    digests = set()
    for name in ("one", "two"):
        catalog = open_catalog(tmp_path / name)
        contents = texts("a", 30)
        if name == "two":
            contents = dict(reversed(contents.items()))
        donate(catalog, A, contents)
        tokenizer(catalog)
        made = shards(catalog, A)
        assert shards(catalog, A).statement_digest == made.statement_digest
        digests.add(made.digest)
    assert len(digests) == 1


def test_a_donation_that_is_not_admitted_has_no_shards(catalog: Catalog) -> None:
    donate(catalog, A, texts("a", 5))
    tokenizer(catalog)
    admit(catalog, "personal_data", catalog.require("filtering/personal_data", A), admitted=False)
    with pytest.raises(NotAdmittedError, match="personal_data refused"):
        shards(catalog, A)
    assert catalog.partitions("corpus/shards") == []


def test_documents_are_encoded_one_after_the_other(catalog: Catalog) -> None:
    """Encoding starts before the last document is read: a corpus need not fit in memory."""
    donate(catalog, A, texts("a", 5))
    words = vocabulary(tokenizer(catalog))
    read = 0

    def endless() -> object:
        nonlocal read
        while True:
            read += 1
            yield str(read), "aften " * 10_000

    encoded = encode_documents(words, endless())  # type: ignore[arg-type]
    assert next(encoded).doc_id == "1"
    assert read < 100
