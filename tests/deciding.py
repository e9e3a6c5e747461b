"""What tests of decisions share: texts, donations of them, and what was decided."""

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pytest

from dsk_assets.evidence.catalog import Catalog, Snapshot
from dsk_assets.filters.decisions import decisions
from dsk_assets.filters.decontamination import contamination
from dsk_assets.filters.language import language
from dsk_assets.filters.quality import quality
from dsk_assets.filters.signatures import signatures
from dsk_assets.gates.admitted import admitted
from dsk_assets.lake.store import Zone
from dsk_assets.settings import load_settings
from tests.support import admit, documents, seed

ONE, TWO = "dsk-2026-0001@1.0.0", "dsk-2026-0002@1.0.0"


STORY = (
    "Der var engang en gammel mølle, som stod på en bakke uden for byen, og hver morgen gik "
    "mølleren op ad stien for at se, om vinden var god. Han havde boet der hele sit liv, og han "
    "kendte hvert eneste hus i dalen. Børnene kom ofte og besøgte ham, fordi han fortalte dem "
    "historier om havet og de lande, han havde set, dengang han var ung og sejlede med et skib."
)


HARBOUR = (
    "Havnen ligger stille om vinteren, når fiskerne bliver hjemme og reparerer deres garn. Kun "
    "færgen sejler to gange om dagen mellem øen og fastlandet med post, mælk og enkelte gæster. "
    "Om sommeren er det helt anderledes, for så kommer turisterne med telte, cykler og hunde, og "
    "kroen ved kajen holder åbent til langt ud på natten, så længe der er nogen, som vil danse."
)


GERMAN = (
    "Die Mühle stand seit vielen Jahren auf einem Hügel vor der Stadt, und jeden Morgen ging der "
    "Müller den Weg hinauf, um zu sehen, ob der Wind gut war. Er hatte sein ganzes Leben dort "
    "gewohnt, und die Kinder besuchten ihn oft, weil er ihnen Geschichten vom Meer erzählte."
)


SHORT = "En ganske kort besked på dansk, som ingen regel for lang prosa ville lade slippe igennem."


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    (tmp_path / "consortium" / "policies").mkdir(parents=True)
    set_policy(tmp_path / "consortium", "")
    loaded = load_settings(
        home=tmp_path / "dsk", lake="", consortium=tmp_path / "consortium", workers=1
    )
    return Catalog(loaded, run_id="test")


def set_policy(consortium: Path, sections: str, name: str = "default") -> None:
    path = consortium / "policies" / f"{name}.yaml"
    path.write_text(f"name: {name}\nversion: '1.0'\n{sections}", encoding="utf-8")


def donate(
    catalog: Catalog,
    donation: str,
    texts: Mapping[str, str],
    *,
    withheld: frozenset[str] = frozenset(),
    approved_on: str = "2026-01-01",
    is_open: bool = False,
) -> None:
    """A donation as it stands when its personal data have been removed and the gates passed."""
    rights: dict[str, object] = {
        "open_source_wish": "open-source" if is_open else "closed",
        "approval": {"approved_on": approved_on},
    }
    if is_open:
        rights["licence_spdx"] = "CC0-1.0"
    manifest = {"manifest.json": {"rights": rights}}
    landing = seed(catalog, "donations/landing", donation, zone=Zone.RESTRICTED, files=manifest)
    table = documents(texts, donation.partition("@")[0])
    made = seed(
        catalog, "donations/documents", donation, zone=Zone.RESTRICTED, tables={"document": table}
    )
    kept = pa.array([name not in withheld for name in texts], pa.bool_())
    outcome = {
        "doc_id": pa.array(list(texts), pa.string()),
        "outcome": pa.array(["withheld" if n in withheld else "kept" for n in texts], pa.string()),
        "reason": pa.array(["density" if n in withheld else None for n in texts], pa.string()),
        "findings": pa.array([7 if n in withheld else 0 for n in texts], pa.int64()),
        "residual": pa.array([0] * len(texts), pa.int64()),
    }
    redacted = seed(
        catalog,
        "filtering/personal_data",
        donation,
        tables={"document": table.drop(["file_id"]).filter(kept), "pii_outcome": pa.table(outcome)},
    )
    for gate, judged in (
        ("approval", landing),
        ("statistics", made),
        ("personal_data", redacted),
        ("language", None),
    ):
        admit(catalog, gate, judged or language(catalog, donation))
    quality(catalog, donation)
    signatures(catalog, donation)
    contamination(catalog, donation)
    admitted(catalog, donation)


def decided(snapshot: Snapshot) -> dict[str, dict[str, object]]:
    return {row["doc_id"]: row for row in snapshot.table("decision").to_pylist()}


def reasons(catalog: Catalog, donation: str) -> dict[str, tuple[str, str]]:
    rows = decided(decisions(catalog, donation))
    return {name: (str(row["stage"]), str(row["rule"])) for name, row in rows.items()}
