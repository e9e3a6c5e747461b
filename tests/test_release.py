"""Corpus releases: frozen, versioned by what changed, and readable after newer ones."""

from pathlib import Path

import pytest

from dsk_assets.corpus.release import (
    diff,
    newest_release,
    newest_version,
    open_release,
    release,
    versions,
)
from dsk_assets.corpus.shards import shards
from dsk_assets.corpus.tokenizer import tokenizer
from dsk_assets.errors import CorruptedError, MissingInputError, NotAdmittedError
from dsk_assets.evidence.catalog import Catalog, Stale
from dsk_assets.evidence.merkle import root_of
from tests.corpora import CORPUS, donate, open_catalog, texts, tokenise, write
from tests.support import admit, seed

A, B, C = "dsk-2026-0001@1.0.0", "dsk-2026-0002@1.0.0", "dsk-2026-0003@1.0.0"


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    """A catalog with donations A and B, tokenised."""
    catalog = open_catalog(tmp_path)
    donate(catalog, A, texts("a", 12))
    donate(catalog, B, texts("bb", 6))
    tokenise(catalog, A, B)
    return catalog


def refuse(catalog: Catalog, donation: str) -> None:
    """Let gate ``approval`` take its admission of *donation* back."""
    admit(catalog, "approval", catalog.require("donations/landing", donation), admitted=False)


def another_tokenizer(catalog: Catalog) -> None:
    """Configure a tokenizer with another token at the end of a text."""
    settings = CORPUS | {"tokenizer": CORPUS["tokenizer"] | {"end_of_text": "<|slut|>"}}
    write(catalog.settings.consortium / "corpus.yaml", settings)


def weigh(catalog: Catalog, donation: str, weight: float) -> None:
    """Give *donation* a policy of its own with *weight*."""
    policy = {"name": "own", "version": "1", "applies_to": [donation.split("@")[0]]}
    write(catalog.settings.consortium / "policies" / "own.yaml", policy | {"weight": weight})


def test_the_first_release_names_all_its_shards(catalog: Catalog) -> None:
    weigh(catalog, B, 2.5)
    made = release(catalog)
    content = made.json("release.json")
    assert (made.partition, content["version"], content["previous"]) == ("1.0.0", "1.0.0", None)
    assert content["name"] == "test"
    assert content["tokenizer"] == catalog.require("corpus/tokenizer").digest
    of = {donation: catalog.require("corpus/shards", donation) for donation in (A, B)}
    leaves = [leaf for one in of.values() for leaf in one.table("shard")["leaf"].to_pylist()]
    assert content["root"] == root_of([bytes.fromhex(leaf) for leaf in leaves]).hex()
    assert content["donations"] == [
        {"donation": donation, "digest": of[donation].digest, "weight": weight, **counts}
        for donation, weight in ((A, 1.0), (B, 2.5))
        for counts in [dict(of[donation].counts)]
    ]
    for name in ("tokens", "documents", "characters", "shards"):
        assert content[name] == made.counts[name] == sum(one.counts[name] for one in of.values())
    rows = made.table("release_shard").to_pylist()
    assert {row["donation"]: row["weight"] for row in rows} == {A: 1.0, B: 2.5}
    assert [(row["donation"], row["sha256"]) for row in rows] == [
        (donation, digest)
        for donation in (A, B)
        for digest in of[donation].table("shard")["sha256"].to_pylist()
    ]
    read = {one["uri"] for one in made.statement["predicate"]["buildDefinition"][
        "resolvedDependencies"]}  # fmt: skip
    assert f"dsk:corpus/shards[{A}]" in read
    assert f"dsk:gate/spans[{A}]" in read
    assert f"dsk:filtering/admitted[{B}]" in read


def test_equal_content_is_the_same_release(catalog: Catalog) -> None:
    first = release(catalog)
    assert release(catalog).statement_digest == first.statement_digest
    assert release(catalog.planning()).statement_digest == first.statement_digest
    assert versions(catalog) == ["1.0.0"]


def test_a_damaged_release_is_made_again_under_its_version(catalog: Catalog) -> None:
    first = release(catalog)
    first.path("release.json").write_bytes(b"{}")
    assert release(catalog).digest == first.digest
    assert release(catalog).json("release.json")["version"] == "1.0.0"


def test_planning_makes_no_release(catalog: Catalog) -> None:
    with pytest.raises(Stale):
        release(catalog.planning())
    release(catalog)
    donate(catalog, C, texts("ccc", 3))
    tokenise(catalog, C)
    with pytest.raises(Stale):
        release(catalog.planning())
    assert versions(catalog) == ["1.0.0"]


def test_versions_say_what_changed(catalog: Catalog) -> None:
    release(catalog)
    donate(catalog, C, texts("ccc", 3))
    tokenise(catalog, C)
    assert release(catalog).partition == "1.1.0"
    weigh(catalog, A, 0.5)
    assert release(catalog).partition == "1.1.1"
    donate(catalog, A, texts("a", 12), dropped=list(texts("a", 1)))
    tokenise(catalog, A)
    assert release(catalog).partition == "2.0.0"
    refuse(catalog, B)
    assert release(catalog).partition == "3.0.0"
    donate(catalog, A, texts("a", 20))
    tokenise(catalog, A)
    assert release(catalog).partition == "3.1.0"
    another_tokenizer(catalog)
    tokenise(catalog, A, C)
    newest = release(catalog)
    assert newest.partition == "4.0.0"
    assert newest.json("release.json")["previous"] == "3.1.0"
    assert newest_version(catalog) == "4.0.0"
    found = newest_release(catalog)
    assert found is not None
    assert found.digest == newest.digest


def test_versions_are_ordered_as_numbers(catalog: Catalog) -> None:
    for version in ("9.0.0", "10.0.0", "9.10.0", "9.9.1"):
        seed(catalog, "corpus/release", version)
    assert versions(catalog) == ["9.0.0", "9.9.1", "9.10.0", "10.0.0"]
    assert newest_version(catalog) == "10.0.0"


def test_a_donation_that_may_not_be_used_is_left_out(catalog: Catalog) -> None:
    admit(catalog, "spans", catalog.require("corpus/shards", A), admitted=False)
    donate(catalog, C, texts("ccc", 3))
    shards(catalog, C)  # gate spans has not judged them
    made = release(catalog).json("release.json")
    assert [one["donation"] for one in made["donations"]] == [B]
    refuse(catalog, B)
    with pytest.raises(NotAdmittedError, match="nothing to be made of"):
        release(catalog)


def test_shards_of_another_tokenizer_are_left_out(catalog: Catalog) -> None:
    another_tokenizer(catalog)
    tokenise(catalog, B)
    made = release(catalog).json("release.json")
    assert [one["donation"] for one in made["donations"]] == [B]


def test_before_the_first_release_there_is_none(tmp_path: Path) -> None:
    catalog = open_catalog(tmp_path)
    assert newest_version(catalog) is None
    assert newest_release(catalog) is None
    donate(catalog, A, texts("a", 3))
    tokenizer(catalog)
    with pytest.raises(NotAdmittedError):
        release(catalog)


def test_an_old_release_stays_readable_when_its_shards_were_made_again(catalog: Catalog) -> None:
    release(catalog)
    before = catalog.require("corpus/shards", A)
    donate(catalog, A, texts("a", 5))
    another_tokenizer(catalog)
    tokenise(catalog, A, B)
    release(catalog)
    opened = open_release(catalog, "1.0.0")
    assert opened.version == "1.0.0"
    assert opened.members[0].shards.digest == before.digest
    assert opened.tokenizer.json("tokenizer_config.json")["eos_token"] == "<|endoftext|>"
    sizes = [path.stat().st_size // 2 for path, _ in opened.members[0].files()]
    assert sum(sizes) == opened.members[0].tokens == before.counts["tokens"]
    newest = open_release(catalog, "2.0.0")
    assert newest.members[0].shards.digest != before.digest
    assert newest.tokenizer.json("tokenizer_config.json")["eos_token"] == "<|slut|>"


def test_changed_bytes_of_a_released_shard_are_noticed(catalog: Catalog) -> None:
    release(catalog)
    path = catalog.require("corpus/shards", A).path("tokens/00000.bin")
    path.write_bytes(b"\0" * path.stat().st_size)
    with pytest.raises(CorruptedError):
        list(open_release(catalog, "1.0.0").members[0].files())


def test_a_release_whose_shards_are_forgotten_cannot_be_opened(catalog: Catalog) -> None:
    made = release(catalog)
    catalog.lake.remove(f"evidence/statements/corpus/shards/{A}/000001.json")
    with pytest.raises(CorruptedError, match=r"corpus/shards\[dsk-2026-0001@1.0.0\]"):
        open_release(catalog, str(made.partition))
    with pytest.raises(MissingInputError):
        open_release(catalog, "7.0.0")


def test_a_diff_lists_donations_and_documents(catalog: Catalog) -> None:
    release(catalog)
    revised = A.replace("1.0.0", "1.1.0")
    donate(catalog, revised, dict(list(texts("a", 14).items())[2:]))
    donate(catalog, C, texts("ccc", 2))
    tokenise(catalog, revised, C)
    refuse(catalog, B)
    assert release(catalog).partition == "2.0.0"
    found = diff(catalog, "1.0.0", "2.0.0")
    assert found.donations_added == (revised, C)
    assert found.donations_removed == (A, B)
    added = list(texts("a", 14))[12:] + list(texts("ccc", 2))
    removed = list(texts("a", 2)) + list(texts("bb", 6))
    assert found.documents_added["doc_id"].to_pylist() == sorted(added)
    assert found.documents_removed["doc_id"].to_pylist() == sorted(removed)
    assert set(found.documents_removed["donation_id"].to_pylist()) == {
        "dsk-2026-0001", "dsk-2026-0002",
    }  # fmt: skip
    back = diff(catalog, "2.0.0", "1.0.0")
    assert back.documents_added.equals(found.documents_removed)
    assert diff(catalog, "1.0.0", "1.0.0").documents_added.num_rows == 0


def test_the_same_donations_give_the_same_bytes_elsewhere(catalog: Catalog, tmp_path: Path) -> None:
    other = open_catalog(tmp_path / "other")
    donate(other, B, texts("bb", 6))
    donate(other, A, texts("a", 12))
    tokenise(other, A, B)
    assert release(other).digest == release(catalog).digest
