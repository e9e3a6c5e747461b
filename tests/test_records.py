"""The published records: complete, consistent with each other, and without donated text."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pyarrow as pa
import pytest
from huggingface_hub import DatasetCard, ModelCard
from lxml import html

from dsk_assets.errors import NotAdmittedError
from dsk_assets.evidence.catalog import Catalog, Snapshot
from dsk_assets.gates.registry import GATES
from dsk_assets.gates.suites import load
from dsk_assets.lake.store import Zone
from dsk_assets.records import danish, published, stage
from dsk_assets.records.provider import load_provider
from dsk_assets.records.published.public_summary import SCHEMA, TITLE
from dsk_assets.records.rendering import day, number, percent
from dsk_assets.records.warehouse import warehouse
from dsk_assets.settings import load_settings
from tests.small_lake import (
    ARCHIVE,
    CHECKPOINTS,
    MUNICIPALITY,
    MUSEUM,
    SECRET,
    small_lake,
    verified,
)
from tests.support import admit, seed

# fmt: off
FIELDS = [
    "0.a", "0.b", "1.1.a", "1.1.b", "1.2.a", "1.2.b", "1.2.c", "1.3.a", "1.3.b", "1.3.c", "1.3.d",
    "1.3.e", "1.3.f", "1.3.g", "2.1.a", "2.1.b", "2.1.c", "2.1.d", "2.1.e", "2.2.1.a", "2.2.1.b",
    "2.2.2.a", "2.2.2.b", "2.2.2.c", "2.2.2.d", "2.2.2.e", "2.3.a", "2.3.b", "2.3.c", "2.3.d",
    "2.3.e", "2.3.f", "2.3.g", "2.3.h", "2.3.i", "2.4.a", "2.4.b", "2.4.c", "2.4.d", "2.4.e",
    "2.5.a", "2.5.b", "2.5.c", "2.5.d", "2.5.e", "2.6.a", "2.6.b", "2.6.c", "3.1.a", "3.1.b",
    "3.1.c", "3.2.a", "3.3.a",
]
# fmt: on
"""All fields of the AI Office's template, in its order."""

SUMMARIES = [f"public_summary/public-summary.{language}.md" for language in ("en", "da")]
CARDS = ["dataset_card/README.md", "model_card/README.md"]


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    catalog = Catalog(load_settings(home=tmp_path_factory.mktemp("dsk"), workers=1))
    small_lake(catalog)
    warehouse(catalog)
    return catalog


def records(catalog: Catalog, version: str) -> Snapshot:
    """The records, made of what has been verified."""
    verified(catalog, version)
    return stage.records(catalog, version)


@pytest.fixture(scope="module")
def made(lake: Catalog) -> Snapshot:
    return records(lake, "1.0.0")


@pytest.fixture(scope="module")
def sidecar(made: Snapshot) -> dict[str, Any]:
    content: dict[str, Any] = made.json("public_summary/public-summary.json")
    return content


@pytest.fixture
def copy(lake: Catalog, tmp_path: Path) -> Catalog:
    """The small lake with its warehouse, to be changed."""
    shutil.copytree(lake.settings.home, tmp_path / "dsk")
    return Catalog(load_settings(home=tmp_path / "dsk", workers=1))


def text(made: Snapshot, name: str) -> str:
    return made.path(name).read_text("utf-8")


def test_the_summary_has_every_field_in_both_languages(sidecar: dict[str, Any]) -> None:
    assert [field["id"] for field in sidecar["fields"]] == FIELDS
    jsonschema_rs.validate(json.loads(SCHEMA.read_text("utf-8")), sidecar)
    for field in sidecar["fields"]:
        assert field["label"]["en"] != field["label"]["da"] or field["id"] == "1.1.a"


@pytest.mark.parametrize("name", SUMMARIES)
def test_the_summary_is_titled_as_the_template_says(made: Snapshot, name: str) -> None:
    assert text(made, name).splitlines()[0] == f"# {TITLE}"
    [root] = html.fromstring(text(made, name.replace(".md", ".html"))).xpath("//h1")
    assert root.text_content() == TITLE


def test_what_does_not_apply_is_said_not_left_out(sidecar: dict[str, Any]) -> None:
    value = {field["id"]: field["value"]["en"] for field in sidecar["fields"]}
    assert value["1.1.b"].startswith("Not applicable: the provider is established in the Union")
    assert value["1.2.b"].startswith("Not applicable: the model was trained from scratch")
    assert all(value[f"2.3.{letter}"].startswith("Not applicable") for letter in "bcdefgh")


def test_donations_stand_in_the_section_their_terms_put_them_in(sidecar: dict[str, Any]) -> None:
    value = {field["id"]: field["value"]["en"] for field in sidecar["fields"]}
    assert ARCHIVE in value["2.1.c"]
    assert MUNICIPALITY in value["2.2.2.c"]
    assert MUNICIPALITY in value["2.5.e"]
    assert not any(MUSEUM in text for text in value.values())
    sections = {one["donation"]: one["section"] for one in sidecar["donations"]}
    assert sections == {ARCHIVE: "2.1", MUNICIPALITY: "2.2.2"}


def test_dates_and_sizes_are_computed(sidecar: dict[str, Any], lake: Catalog) -> None:
    value = {field["id"]: field["value"] for field in sidecar["fields"]}
    assert "less than 1 billion tokens. Exactly 1,500 tokens" in value["1.3.b"]["en"]
    assert "under 1 milliard tokens. Præcis 1.500 tokens" in value["1.3.b"]["da"]
    assert value["1.3.d"]["en"].startswith("10/2026."), "the municipality delivered on 6 October"
    assert "DK_CPR: 4" in value["3.3.a"]["en"]
    assert "Of 5 documents delivered in these donations, 3 were kept" in value["3.3.a"]["en"]


def test_pages_are_valid_accessible_and_load_nothing(made: Snapshot) -> None:
    for language in ("en", "da"):
        source = text(made, f"public_summary/public-summary.{language}.html")
        page = html.fromstring(source)
        assert page.get("lang") == language
        assert not page.xpath("//script | //link | //img | //iframe | //*[@src] | //*[@style]")
        assert not re.search(r"@import|url\(", source)
        assert not page.xpath("//ol | //ul"), "no answer is a list: '23. november' is a date"
        assert page.xpath("//main") and page.xpath("//a[@class='skip'][@href='#main']")
        assert all(cell.get("scope") == "col" for cell in page.xpath("//th"))
        identifiers = page.xpath("//@id")
        assert len(identifiers) == len(set(identifiers))
        assert set(page.xpath("//@aria-labelledby")) <= set(identifiers)
        assert [h.get("id") for h in page.xpath("//h3")] == [f"f{one}" for one in FIELDS]


def test_a_plain_page_shows_what_each_gate_expected_and_found(made: Snapshot) -> None:
    refused = {"en": ("refused", "The approval has expired."), "da": ("afvist", "Godkendelsen er")}
    for language, (word, reason) in refused.items():
        source = text(made, f"gate_results/gates.{language}.html")
        page = html.fromstring(source)
        assert page.get("lang") == language
        assert not page.xpath("//script | //link | //img | //iframe | //*[@src] | //*[@style]")
        assert all(cell.get("scope") == "col" for cell in page.xpath("//th"))
        first, *others = page.xpath("//section")
        shown = " ".join(first.text_content().split())
        assert shown.startswith(f"approval · {MUSEUM} – {word}")
        assert {"en": "at least 1", "da": "mindst 1"}[language] in shown
        assert {"en": "approval in force", "da": "godkendelsen gælder"}[language] in shown
        assert reason in shown
        assert len(others) >= 8
        assert not any(word in one.xpath("./h2")[0].text_content() for one in others)


def test_a_danish_reader_reads_danish(made: Snapshot) -> None:
    page = html.fromstring(text(made, "gate_results/gates.da.html"))
    cells = [cell.text_content() for cell in page.xpath("//td")]
    assert not [one for one in cells if re.search(r"_|exactly|at least|at most|\.0\b", one)]
    summary = text(made, "public_summary/public-summary.da.md")
    assert "Lande: Danmark" in summary and "litteratur" in summary
    assert not re.search(r"Denmark|literature|public administration", summary)


def test_every_measure_of_the_gates_has_a_danish_name() -> None:
    measures = {
        expectation.kwargs["column"] for gate in GATES for expectation in load(gate).expectations
    }
    assert measures == danish.MEASURES.keys()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("exactly 1", "netop 1"),
        ("at most 50000000", "højst 50.000.000"),
        ("between 2.4 and 4.3", "mellem 2,4 og 4,3"),
        ("an expectation that can be evaluated", "en forventning, der kan afgøres"),
    ],
)
def test_expectations_in_danish(words: str, said: str) -> None:
    assert danish.expected(words, "da") == said


def test_cards_are_read_by_the_hub_library(made: Snapshot) -> None:
    dataset = DatasetCard(text(made, CARDS[0]), ignore_metadata_errors=False).data
    assert dataset.license == ["cc0-1.0", "other"]
    assert dataset["license_name"] == "dsk-donations"
    assert dataset.size_categories == ["n<1K"]
    assert dataset.language == ["da"]
    model = ModelCard(text(made, CARDS[1]), ignore_metadata_errors=False).data
    assert model.license == "apache-2.0"
    assert model.library_name == "transformers"
    assert model.datasets == ["eksempel-konsortiet/dsk-demo-korpus"]
    assert model.base_model is None


@pytest.mark.parametrize("name", CARDS)
def test_cards_have_the_sections_readers_look_for(made: Snapshot, name: str) -> None:
    headings = set(re.findall(r"^## (.+)$", text(made, name), re.MULTILINE))
    wanted = {
        "dataset_card/README.md": {
            "Motivation", "Composition", "Collection", "Preprocessing, cleaning, labelling",
            "Uses", "Distribution", "Maintenance",
        },
        "model_card/README.md": {
            "Intended use", "Training data", "Training procedure", "Evaluation", "Limitations",
        },
    }  # fmt: skip
    assert wanted[name] <= headings
    assert "Not measured" in text(made, CARDS[1])


def test_the_model_card_says_what_the_model_did(copy: Catalog) -> None:
    checkpoint = copy.require("training/checkpoint", CHECKPOINTS[1])
    content = {
        "memorisation": {
            "promptTokens": 50, "continuationTokens": 50,
            "trained": {"prompts": 90, "exact": 7}, "heldOut": {"prompts": 30, "exact": 1},
        },
        "values": {
            "charter": "a/charter", "version": "0.1.0",
            "questions": [
                {"id": "one", "clauses": ["2.1", "3.1"], "better": True},
                {"id": "two", "clauses": ["4.1"], "better": False},
            ],
        },
    }  # fmt: skip

    def tried(of: Snapshot) -> None:
        copy.materialise(
            "training/evaluation", CHECKPOINTS[1], zone=Zone.EVIDENCE,
            inputs=[of.only("model/", "checkpoint.json")], config={}, code_version="test",
            produce=lambda out: out.json("evaluation.json", content),
        )  # fmt: skip

    tried(copy.require("training/checkpoint", CHECKPOINTS[0]))
    assert "how much training text the model repeats" in text(records(copy, "1.0.0"), CARDS[1])
    tried(checkpoint)
    card = text(records(copy, "1.0.0"), CARDS[1])
    assert "of 90 documents that it has read" in card
    assert "in 7 of them, and in 1 of 30 held-out documents" in card
    assert "asked 2 questions" in card
    assert "likelier 1 times" in card
    assert "| one | 2.1, 3.1 | yes |" in card
    assert "how much training text the model repeats" not in card


def test_the_model_card_counts_what_was_read_and_not_what_is_held_out(made: Snapshot) -> None:
    card = text(made, "model_card/README.md")
    assert re.search(rf"`{ARCHIVE}` .* 1,000 \| 100 \| 102,400 \| 113.78 \|", card)
    assert re.search(rf"`{MUNICIPALITY}` .* 500 \| 0 \| 102,400 \| 204.80 \|", card)


def test_all_records_say_the_same(made: Snapshot, sidecar: dict[str, Any], lake: Catalog) -> None:
    release = lake.require("corpus/release", "1.0.0")
    checkpoint = lake.require("training/checkpoint", CHECKPOINTS[1])
    assert sidecar["corpus"]["digest"] == release.digest
    assert sidecar["model"]["digest"] == checkpoint.digest
    weights = set(sidecar["model"]["weights"].values())
    for name in [*SUMMARIES, *CARDS]:
        content = text(made, name)
        assert set(re.findall(r"dsk-\d{4}-\d{4}@[\d.]+\d", content)) == {ARCHIVE, MUNICIPALITY}
        assert release.digest in content
        assert re.search(r"1[.,]500 tokens|Tokens \| 1,500", content)
    for name in [*SUMMARIES, "model_card/README.md"]:
        assert set(re.findall(r"[0-9a-f]{64}", text(made, name))) >= weights
        assert CHECKPOINTS[1] in text(made, name)
    for one in sidecar["donations"]:
        shards = lake.require("corpus/shards", one["donation"])
        assert (one["digest"], one["tokens"]) == (shards.digest, shards.counts["tokens"])
        assert one["digest"] in text(made, "dataset_card/README.md")


def test_records_never_say_anonymised(made: Snapshot) -> None:
    for name in [*SUMMARIES, *CARDS]:
        content = text(made, name)
        assert "personoplysningsfiltreret" in content or name == SUMMARIES[0]
        denied = r"(not|ikke( er)?( det samme som)?) anonymis"
        assert len(re.findall("anonymi", content)) == len(re.findall(denied, content)), name


def test_records_say_what_a_person_has_reviewed_and_what_not(made: Snapshot) -> None:
    card = text(made, "dataset_card/README.md")
    assert f"| `{ARCHIVE}` | 0 of 324 | reviewed | 41.5 |" in card
    assert f"| `{MUNICIPALITY}` | 0 of 324 | not reviewed | not known |" in card
    assert "1 have been reviewed by a person" in text(made, "model_card/README.md")
    for name in SUMMARIES:
        content = " ".join(text(made, name).split())
        assert f"{ARCHIVE}: at most 41.5" in content or f"{ARCHIVE}: højst 41.5" in content
        assert re.search(rf"(Not reviewed|Ikke gennemgået)[^.]*: {MUNICIPALITY}", content)


def test_records_say_what_the_search_finds_in_labelled_text_and_where_that_is_not_known(
    made: Snapshot,
) -> None:
    card = text(made, "dataset_card/README.md")
    assert "| DK_CPR | 250 | 248 | 99.2 % |" in card
    assert "| PERSON | 1,000 | 900 | 90.0 % |" in card, "the set in which it is lowest"
    assert "| PERSON, Turkish names | 20 | 19 | 95.0 % |" in card
    assert f"recall is not known: {MUNICIPALITY}." in card
    for name in SUMMARIES:
        content = " ".join(text(made, name).split())
        shares = "90.0 % to 99.2 %" if name.endswith(".en.md") else "90,0 % til 99,2 %"
        assert shares in content and f"for {MUNICIPALITY}" in content


def test_no_donated_text_and_nothing_restricted_is_published(made: Snapshot) -> None:
    for file in made.files:
        content = text(made, file.name)
        assert SECRET not in content
        assert "restricted" not in content
        assert made.folder.startswith("public/")


def test_the_same_facts_give_the_same_bytes(copy: Catalog, made: Snapshot) -> None:
    assert records(copy, "1.0.0").digest == made.digest
    for file in made.files:
        copy.lake.remove(f"{made.folder}/{file.name}")
    assert records(copy, "1.0.0").digest == made.digest
    assert copy.made == [("transparency/records", "1.0.0")]


def test_nothing_is_published_that_was_not_verified_as_it_is_now(copy: Catalog) -> None:
    statements = Path(copy.lake.root) / "evidence" / "statements"
    shutil.rmtree(statements / "transparency" / "verification")
    with pytest.raises(NotAdmittedError, match="has not been verified"):
        stage.records(copy, "1.0.0")
    admit(copy, "evidence", verified(copy, "1.0.0"), admitted=False)
    with pytest.raises(NotAdmittedError, match="gate evidence refused"):
        stage.records(copy, "1.0.0")
    records(copy, "1.0.0")
    seed(copy, "transparency/warehouse", files={"other.json": 1})
    with pytest.raises(NotAdmittedError, match="has changed since the evidence was verified"):
        stage.records(copy, "1.0.0")


@pytest.mark.parametrize(
    ("gate", "asset", "key"),
    [
        ("composition", "corpus/release", "1.0.0"),
        ("checkpoint", "training/checkpoint", CHECKPOINTS[1]),
    ],
)
def test_nothing_is_published_that_a_gate_refuses(
    copy: Catalog, gate: str, asset: str, key: str
) -> None:
    admit(copy, gate, copy.require(asset, key), admitted=False)
    with pytest.raises(NotAdmittedError, match=f"gate {gate} refused"):
        records(copy, "1.0.0")


def test_before_training_there_is_no_model_card(copy: Catalog) -> None:
    shutil.rmtree(Path(copy.lake.root) / "evidence/statements/training")
    made = records(copy, "1.0.0")
    assert made.counts["records"] == 3
    content = made.json("public_summary/public-summary.json")
    assert content["model"] is None
    jsonschema_rs.validate(json.loads(SCHEMA.read_text("utf-8")), content)


@pytest.fixture
def added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """One more record: a single file in the package of records."""
    (tmp_path / "digests.py").write_text(
        "def render(facts):\n    return {'SHA256SUMS': facts.digest.encode()}\n", "utf-8"
    )
    monkeypatch.setattr(published, "__path__", [*published.__path__, str(tmp_path)])
    yield "digests"


def test_a_record_is_added_by_adding_a_file(copy: Catalog, added: str) -> None:
    made = records(copy, "1.0.0")
    assert text(made, f"{added}/SHA256SUMS") == copy.require("corpus/release", "1.0.0").digest
    assert made.counts["records"] == 5


def test_numbers_and_dates_follow_the_language(lake: Catalog) -> None:
    provider = load_provider(lake.settings.consortium)
    assert number(1234567, "da") == "1.234.567"
    assert percent(0.0355, "da") == "3,5 %" or percent(0.0355, "da") == "3,6 %"
    assert day(provider.reviewed_on, "da") == "20. november 2026"


def test_languages_that_only_short_texts_seem_to_have_are_not_named(copy: Catalog) -> None:
    marts = copy.require("transparency/warehouse")
    tokens = marts.table("tokens_by_donor_licence_language").to_pylist()
    rare = [{**tokens[0], "language": code, "tokens": 1} for code in ("su", "la")]
    tables = {mart: marts.table(mart) for mart in marts.counts}
    tables["tokens_by_donor_licence_language"] = pa.Table.from_pylist([*tokens, *rare])
    seed(copy, "transparency/warehouse", tables=tables)
    made = records(copy, "1.0.0")
    content = made.json("public_summary/public-summary.json")
    [value] = [one["value"]["en"] for one in content["fields"] if one["id"] == "1.3.e"]
    assert value.startswith("Danish (da, an official language of the Union): 99.9 % of tokens.")
    assert "taken for other languages make up 0.1 % in all: la, su" in value
    assert DatasetCard(text(made, CARDS[0])).data.language == ["da"]
