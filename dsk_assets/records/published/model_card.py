"""The model card of the newest checkpoint, as the Hugging Face hub reads it.

Front matter after https://github.com/huggingface/hub-docs/blob/main/modelcard.md; sections after
"Model Cards for Model Reporting" (Mitchell et al. 2019, https://doi.org/10.1145/3287560.3287596).
"""

from typing import Any

from dsk_assets.records.facts import Facts
from dsk_assets.records.hub import CARD_SHARE, hub_licence
from dsk_assets.records.rendering import page, with_front_matter


def render(facts: Facts) -> dict[str, bytes]:
    """``README.md`` of the model's repository; nothing before a model has been trained."""
    checkpoint = facts.checkpoint
    if checkpoint is None:
        return {}
    metadata: dict[str, Any] = {
        "model_name": facts.model_version,
        "language": facts.main_languages(CARD_SHARE),
        "license": hub_licence(facts.provider.model.licence),
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
        "datasets": [facts.provider.model.dataset_repository],
    }
    if checkpoint.base_model["name"]:
        metadata["base_model"] = checkpoint.base_model["name"]
    metadata["tags"] = ["danish", "personoplysningsfiltreret"]
    text = page(
        "model_card.md.j2", "en", facts=facts, provider=facts.provider, checkpoint=checkpoint
    )
    return {"README.md": with_front_matter(metadata, text)}
