"""A name model in a folder: a spaCy pipeline and a transformers model, made here, never fetched."""

from pathlib import Path

import pytest

from dsk_assets.errors import SettingsError
from dsk_assets.privacy.analyser import analyser, digest

TEXT = "Så kom qwxz blimf forbi."


def persons() -> list[str]:
    return [TEXT[f.start : f.end] for f in analyser().find(TEXT) if f.entity == "PERSON"]


def spacy_pipeline(folder: Path) -> None:
    import spacy

    pipeline = spacy.blank("da")
    ruler = pipeline.add_pipe("entity_ruler")
    ruler.add_patterns(  # type: ignore[attr-defined]
        [{"label": "PER", "pattern": "qwxz blimf"}, {"label": "LOC", "pattern": "forbi"}]
    )
    pipeline.to_disk(folder)


def transformers_model(folder: Path) -> None:
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import BertConfig, BertForTokenClassification, PreTrainedTokenizerFast

    words = ["[PAD]", "[UNK]", "Så", "kom", "qwxz", "blimf", "forbi", "."]
    inner = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="[UNK]"))
    inner.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="[PAD]", unk_token="[UNK]"
    ).save_pretrained(folder)
    labels = {0: "O", 1: "B-PER", 2: "I-PER"}
    config = BertConfig(
        vocab_size=8,
        hidden_size=8,
        num_hidden_layers=0,
        num_attention_heads=1,
        intermediate_size=8,
        id2label=labels,
        label2id={name: number for number, name in labels.items()},
    )
    model = BertForTokenClassification(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        model.bert.embeddings.LayerNorm.weight.fill_(1.0)
        for word in range(8):
            model.bert.embeddings.word_embeddings.weight[word, word] = 8.0
        model.classifier.bias.copy_(torch.tensor([1.0, 0.0, 0.0]))
        model.classifier.weight[1, 4] = model.classifier.weight[2, 5] = 9.0
    model.save_pretrained(folder)


@pytest.mark.parametrize("make", [spacy_pipeline, transformers_model])
def test_a_model_in_a_folder_finds_names_besides(
    make: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert persons() == []
    without = digest()
    make(tmp_path / "engine")  # type: ignore[operator]
    monkeypatch.setenv("DSK_NAME_ENGINE", str(tmp_path / "engine"))
    assert persons() == ["qwxz blimf"]
    recorded = digest()
    assert {name: recorded[name] for name in without} == without
    (tmp_path / "engine" / "note.txt").write_text("changed", "utf-8")
    assert digest()["name_engine"] != recorded["name_engine"]


def test_a_name_instead_of_a_folder_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DSK_NAME_ENGINE", "da_core_news_lg")
    with pytest.raises(SettingsError, match="holds no spaCy pipeline"):
        analyser()
