"""The tree: against another implementation written as the RFC defines it, and against forgery."""

import hashlib
import random
from collections.abc import Iterator
from functools import cache

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from dsk_assets.errors import CorruptedError, MissingInputError
from dsk_assets.evidence import merkle
from dsk_assets.evidence.tiles import Tree, bundle, growth, tile_path, unbundle

ENTRIES = [b"entry %d" % i for i in range(700)]


def mth(entries: list[bytes]) -> bytes:
    """RFC 9162, section 2.1.1, word for word."""
    if not entries:
        return hashlib.sha256(b"").digest()
    if len(entries) == 1:
        return hashlib.sha256(b"\x00" + entries[0]).digest()
    k = max(1 << i for i in range(20) if 1 << i < len(entries))
    return hashlib.sha256(b"\x01" + mth(entries[:k]) + mth(entries[k:])).digest()


def path(m: int, entries: list[bytes]) -> list[bytes]:
    """Section 2.1.3.1, word for word."""
    if len(entries) == 1:
        return []
    k = max(1 << i for i in range(20) if 1 << i < len(entries))
    if m < k:
        return [*path(m, entries[:k]), mth(entries[k:])]
    return [*path(m - k, entries[k:]), mth(entries[:k])]


def subproof(m: int, entries: list[bytes], whole: bool) -> list[bytes]:
    """Section 2.1.4.1, word for word."""
    n = len(entries)
    if m == n:
        return [] if whole else [mth(entries)]
    k = max(1 << i for i in range(20) if 1 << i < n)
    if m <= k:
        return [*subproof(m, entries[:k], whole), mth(entries[k:])]
    return [*subproof(m - k, entries[k:], False), mth(entries[:k])]


class Files(dict[str, bytes]):
    """A log's folder in memory."""

    def read(self, name: str) -> bytes:
        try:
            return self[name]
        except KeyError:
            raise MissingInputError(name) from None

    def tree(self, size: int) -> Tree:
        return Tree(self.read, size)

    def append(self, size: int, entries: list[bytes]) -> None:
        self.update(growth(self.tree(size), entries))


@pytest.fixture(scope="module")
def files() -> Files:
    """700 entries, appended in uneven steps that leave partial tiles behind."""
    files = Files()
    for start, end in zip((0, 1, 2, 255, 256, 300, 511, 690), (1, 2, 255, 256, 300, 511, 690, 700),
                          strict=True):  # fmt: skip
        files.append(start, ENTRIES[start:end])
    return files


def test_known_answers():
    """The tree of no entry and that of one empty entry: SHA-256 of nothing and of 0x00."""
    assert merkle.root_of([]).hex() == (
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    )
    assert merkle.root_of([merkle.leaf_hash(b"")]).hex() == (
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    )


def test_roots_of_all_sizes(files: Files):
    leaves = [merkle.leaf_hash(entry) for entry in ENTRIES]
    tree = files.tree(len(ENTRIES))
    for size in range(len(ENTRIES) + 1):
        expected = mth(ENTRIES[:size])
        assert merkle.root_of(leaves[:size]) == expected
        assert tree.root_at(size) == expected


def test_every_inclusion_proof_up_to_300(files: Files):
    for size in [*range(1, 70), *range(250, 301, 3), 300]:
        subtree = cache(files.tree(size)._subtree)
        root = mth(ENTRIES[:size])
        for index in range(size):
            proof = merkle.inclusion_proof(index, size, subtree)
            if size < 70 or index % 7 == 0:
                assert proof == path(index, ENTRIES[:size])
            leaf = merkle.leaf_hash(ENTRIES[index])
            assert merkle.verify_inclusion(leaf, index, size, proof, root)


def test_every_consistency_proof_up_to_300(files: Files):
    tree = files.tree(300)
    subtree = cache(tree._subtree)
    roots = [tree.root_at(size) for size in range(301)]
    for size2 in range(301):
        for size1 in range(size2 + 1):
            proof = merkle.consistency_proof(size1, size2, subtree)
            assert merkle.verify_consistency(size1, size2, roots[size1], roots[size2], proof)
            if size1 and (size2 < 40 or (size1 * size2) % 97 == 0):
                assert proof == subproof(size1, ENTRIES[:size2], True)


def wrong(proof: list[bytes], rng: random.Random) -> Iterator[list[bytes]]:
    """Proofs that are one change away."""
    for i in range(len(proof)):
        changed = bytearray(proof[i])
        changed[rng.randrange(32)] ^= 1 << rng.randrange(8)
        yield [*proof[:i], bytes(changed), *proof[i + 1 :]]
        yield [*proof[:i], *proof[i + 1 :]]
        yield [*proof[:i], proof[i], *proof[i:]]
    yield [*proof, bytes(32)]


def test_no_forged_proof_is_accepted(files: Files):
    rng = random.Random(1)
    for size in (1, 2, 3, 7, 8, 100, 256, 257):
        tree = files.tree(size)
        root = tree.root()
        for index in sorted({0, size // 2, size - 1}):
            leaf, proof = merkle.leaf_hash(ENTRIES[index]), tree.inclusion(index)
            for other in wrong(proof, rng):
                assert not merkle.verify_inclusion(leaf, index, size, other, root)
            for place in {index - 1, index + 1, size, -1} - {index}:
                assert not merkle.verify_inclusion(leaf, place, size, proof, root)
            assert not merkle.verify_inclusion(merkle.leaf_hash(b"x"), index, size, proof, root)
        for size1 in sorted({1, size // 2 or 1, size}):
            proof = tree.consistency(size1)
            old = tree.root_at(size1)
            for other in wrong(proof, rng):
                assert not merkle.verify_consistency(size1, size, old, root, other)
            assert not merkle.verify_consistency(size1, size, bytes(32), root, proof)
            assert not merkle.verify_consistency(size1, size, old, bytes(32), proof)


def test_the_edges_of_a_consistency_proof_end():
    root = mth(ENTRIES[:3])
    empty = merkle.EMPTY_ROOT
    assert merkle.verify_consistency(0, 3, empty, root, [])
    assert merkle.verify_consistency(0, 0, empty, empty, [])
    assert not merkle.verify_consistency(0, 3, root, root, [])
    assert not merkle.verify_consistency(0, 3, empty, root, [root])
    assert not merkle.verify_consistency(3, 2, root, root, [])
    assert not merkle.verify_consistency(-1, 3, empty, root, [])
    assert not merkle.verify_consistency(2, 3, root, root, [])
    assert not merkle.verify_consistency(3, 3, root, root, [root])


@hypothesis_settings(max_examples=40)
@given(st.lists(st.integers(0, 300), max_size=6), st.randoms(use_true_random=False))
def test_however_entries_are_batched_the_tree_is_the_same(steps: list[int], rng: random.Random):
    files, size = Files(), 0
    for step in steps:
        step = min(step, len(ENTRIES) - size)
        files.append(size, ENTRIES[size : size + step])
        size += step
    tree = files.tree(size)
    assert tree.root() == mth(ENTRIES[:size])
    assert [entry for _, entry in tree.entries()] == ENTRIES[:size]
    if size:
        index = rng.randrange(size)
        assert tree.inclusion(index) == path(index, ENTRIES[:size])
        assert tree.leaf(index) == merkle.leaf_hash(ENTRIES[index])


def test_the_files_of_a_tree_of_70000_are_those_of_the_specification():
    """tlog-tiles, "Partial Tiles": 273 full and one of 112; one full, one of 17; one of 1."""
    files = Files()
    files.append(0, [b""] * 70_000)
    by_level = {level: [name for name in files if name.startswith(f"tile/{level}/")]
                for level in ("0", "1", "2", "3", "entries")}  # fmt: skip
    assert {level: len(names) for level, names in by_level.items()} == {
        "0": 274, "1": 2, "2": 1, "3": 0, "entries": 274,
    }  # fmt: skip
    assert {"tile/0/273.p/112", "tile/1/000", "tile/1/001.p/17", "tile/2/000.p/1"} <= set(files)
    files = Files()
    files.append(0, [b""] * 256)
    assert sorted(files) == ["tile/0/000", "tile/1/000.p/1", "tile/entries/000"]


def test_paths_of_tiles():
    assert tile_path(0, 1_234_067) == "tile/0/x001/x234/067"
    assert tile_path(1, 5, 7) == "tile/1/005.p/7"
    assert tile_path("entries", 1000) == "tile/entries/x001/000"


def test_a_partial_tile_may_be_gone_when_the_full_one_is_there(files: Files):
    kept = Files({name: data for name, data in files.items() if name != "tile/0/000.p/255"})
    assert kept.tree(255).root() == mth(ENTRIES[:255])


def test_a_tile_cut_short_is_named(files: Files):
    for name in ("tile/0/001", "tile/entries/001"):
        cut = Files(files | {name: files[name][:-1]})
        with pytest.raises(CorruptedError, match=f"{name} of the log is cut short"):
            tree = cut.tree(700)
            tree.hashes(0, 1)
            tree.bundle(1)


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_a_bundle_gives_its_entries_back(entries: list[bytes]):
    assert unbundle(bundle(entries)) == entries


def test_an_entry_has_a_largest_size():
    assert unbundle(bundle([b"x" * 65_535])) == [b"x" * 65_535]
    with pytest.raises(ValueError, match="more than 65535 bytes"):
        bundle([b"x" * 65_536])
