"""What records need besides the lake: the provider's facts, names of sizes and licences."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from dsk_assets.errors import SettingsError
from dsk_assets.records.hub import hub_licence, size_category
from dsk_assets.records.provider import load_provider
from dsk_assets.records.published.public_summary import bucket
from dsk_assets.records.rendering import escaped
from dsk_assets.settings import PROJECT_ROOT, Settings

ROLE = {"da": "jura", "en": "legal"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"signatory": True}, "signatory is True"),
        ({"reviewed_on": "soon"}, "reviewed_on is 'soon'"),
        ({"country": "NO"}, "authorised_representative must be given"),
        ({"contact": {"role": ROLE, "email": "e", "url": "https://e.dk"}}, "contact.email is 'e'"),
        ({"other_sources": {"crawlers": True}}, "other_sources"),
    ],
)
def test_a_provider_that_cannot_be_used_is_refused(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    example = PROJECT_ROOT / "examples/consortium/provider.yaml"
    content = yaml.safe_load(example.read_text("utf-8")) | change
    (tmp_path / "provider.yaml").write_text(yaml.safe_dump(content), "utf-8")
    with pytest.raises(SettingsError, match=re.escape(message)):
        load_provider(tmp_path)


def test_the_example_provider_can_be_used(settings: Settings) -> None:
    assert load_provider(settings.consortium).model.licence == "Apache-2.0"


@pytest.mark.parametrize(
    ("tokens", "size"),
    [
        (10**9 - 1, "less than 1 billion tokens"),
        (10**9, "1 billion to 10 trillion tokens"),
        (10**13, "more than 10 trillion tokens"),
    ],
)
def test_sizes_fall_into_the_buckets_of_the_template(tokens: int, size: str) -> None:
    assert bucket(tokens)["en"] == size


@pytest.mark.parametrize(
    ("documents", "category"),
    [(999, "n<1K"), (1000, "1K<n<10K"), (10**6, "1M<n<10M"), (10**12, "n>1T")],
)
def test_sizes_are_named_as_on_the_hub(documents: int, category: str) -> None:
    assert size_category(documents) == category


def test_licences_are_named_as_on_the_hub() -> None:
    assert hub_licence("CC-BY-SA-4.0") == "cc-by-sa-4.0"
    assert hub_licence("LicenseRef-DSK-1") == hub_licence("agreement") == "other"


def test_text_of_donors_cannot_break_out_of_a_table() -> None:
    assert escaped("a | b\n<script>*x*") == r"a \| b \<script\>\*x\*"
