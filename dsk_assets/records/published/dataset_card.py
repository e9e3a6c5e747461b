"""The dataset card of a corpus release, as the Hugging Face hub reads it.

Front matter after https://github.com/huggingface/hub-docs/blob/main/datasetcard.md; sections after
"Datasheets for Datasets" (Gebru et al. 2021, https://doi.org/10.1145/3458723).
"""

from dsk_assets.records.facts import Facts
from dsk_assets.records.hub import CARD_SHARE, OTHER, hub_licence, size_category
from dsk_assets.records.rendering import page, with_front_matter


def render(facts: Facts) -> dict[str, bytes]:
    """``README.md`` of the dataset's repository."""
    languages = facts.main_languages(CARD_SHARE)
    licences = sorted({hub_licence(one.register["licence"]) for one in facts.donations})
    metadata = {
        "pretty_name": f"{facts.name} {facts.version}",
        "language": languages,
        "license": licences[0] if len(licences) == 1 else licences,
    }
    if OTHER in licences:
        metadata["license_name"] = "dsk-donations"
        metadata["license_link"] = f"{facts.provider.records_url}/{facts.version}"
    metadata |= {
        "size_categories": [size_category(facts.documents)],
        "task_categories": ["text-generation"],
        "task_ids": ["language-modeling"],
        "multilinguality": ["monolingual" if len(languages) == 1 else "multilingual"],
        "source_datasets": ["original"],
        "tags": ["danish", "personoplysningsfiltreret"],
    }
    text = page("dataset_card.md.j2", "en", facts=facts, provider=facts.provider)
    return {"README.md": with_front_matter(metadata, text)}
