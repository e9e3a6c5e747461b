"""Tokens, shards and the frozen releases that are made of them."""

from dsk_assets.corpus import release, shards, tokenizer
from dsk_assets.defs.partitions import DONATION, RELEASE
from dsk_assets.defs.stage import Stage
from dsk_assets.evidence.catalog import Catalog
from dsk_assets.gates.admitted import admitted_donations
from dsk_assets.gates.registry import GATES


def newest_release(catalog: Catalog) -> list[str]:
    """The version of the newest corpus release, if there is one: what the stages behind it take."""
    version = release.newest_version(catalog)
    return [version] if version else []


def judge_again(catalog: Catalog, version: str) -> None:
    """Let gate ``composition`` judge a release as of today before it is used once more.

    A release is frozen, but its donations may have been withdrawn, replaced or expired since.
    """
    GATES["composition"].judge(catalog, version)


TOKENIZER = Stage(
    "corpus/tokenizer",
    tokenizer.tokenizer,
    tokenizer.CODE_VERSION,
    deps=("filtering/decisions*",),
    kinds=frozenset({"huggingface", "json"}),
    principle="1",
)
SHARDS = Stage(
    "corpus/shards",
    shards.shards,
    shards.CODE_VERSION,
    deps=("filtering/decisions", "corpus/tokenizer"),
    kinds=frozenset({"huggingface", "file"}),
    partitions=DONATION,
    keys=admitted_donations,
    gate="spans",
    principle="3",
)
RELEASE_OF_CORPUS = Stage(
    "corpus/release",
    release.release,
    release.CODE_VERSION,
    deps=("corpus/shards*", "filtering/admitted*"),
    partitions=RELEASE,
    gate="composition",
    principle="3",
)
