"""``dsk filter run``: what it reads, writes and refuses."""

import gzip
import io
import json
import random
import struct
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from click.testing import CliRunner

from dsk_assets.cli.main import main
from dsk_assets.consortium.policy import DuplicatesPolicy, NormalisationPolicy, Policy
from dsk_assets.errors import InputError
from dsk_assets.filters.measures import MEASURES
from dsk_assets.filters.run import inputs, run
from dsk_assets.filters.run.run import filter_files
from dsk_assets.filters.why import why_in
from dsk_assets.lake.engine import Engine
from tests.filter_inputs import SENTENCES, digests, document, kept_documents, rows, write_lines

DOCUMENTS = [document(number) for number in range(60)]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    filter_files([write_lines(folder / "in.jsonl", DOCUMENTS)], folder / "out")
    return folder / "out"


def test_every_document_has_one_decision_sorted_by_id(done: Path):
    decisions = rows(done, "decisions")
    assert [row["id"] for row in decisions] == sorted(one["id"] for one in DOCUMENTS)
    for row in decisions:
        assert row["kept"] == (row["rule"] == "")
        assert row["kept"] or row["value"] is not None
    rules = {row["id"]: row["rule"] for row in decisions}
    assert rules["doc-00009"] == "accepted-language"
    assert rules["doc-00006"] == "exact-duplicate"
    assert rules["doc-00000"] == ""


def test_a_dropped_duplicate_names_its_survivor_which_is_kept(done: Path):
    decisions = {row["id"]: row for row in rows(done, "decisions")}
    duplicates = {row["id"]: row for row in rows(done, "duplicates")}
    assert list(rows(done, "duplicates")[0]) == ["id", "cluster_id", "survivor_id", "similarity"]
    survivor = decisions["doc-00006"]["survivor_id"]
    assert survivor == "doc-00005"
    assert decisions[survivor]["kept"]
    assert duplicates["doc-00006"] == {
        "id": "doc-00006", "cluster_id": "doc-00005", "survivor_id": survivor, "similarity": 1.0
    }  # fmt: skip
    for row in duplicates.values():
        assert decisions[row["survivor_id"]]["kept"]


def test_attributes_hold_language_and_every_measure(done: Path):
    attributes = rows(done, "attributes")
    assert set(attributes[0]) == {"id", "language", "confidence", "accepted_share", *MEASURES}
    assert {row["id"]: row["language"] for row in attributes}["doc-00009"] == "en"
    lengths = {one["id"]: len(one["text"]) for one in DOCUMENTS}
    assert {row["id"]: row["n_char"] for row in attributes} == lengths


def test_kept_documents_lie_in_the_layout_of_dolma(done: Path):
    kept = {row["id"] for row in rows(done, "decisions") if row["kept"]}
    documents = kept_documents(done)
    assert {one["id"] for one in documents} == kept
    original = {one["id"]: one for one in DOCUMENTS}
    assert all(one == original[one["id"]] for one in documents)
    for path in (done / "documents").iterdir():
        beside = done / "attributes" / "dsk" / path.name
        ids, lengths = zip(*[(one["id"], len(one["text"])) for one in _lines(path)], strict=True)
        attributes = list(_lines(beside))
        assert [one["id"] for one in attributes] == list(ids)
        for one, length in zip(attributes, lengths, strict=True):
            (span,) = one["attributes"]["dsk__dsk__alpha_ratio"]
            assert span[:2] == [0, length]
            assert 0.75 <= span[2] <= 1


def _lines(path: Path):
    stream = zstandard.ZstdDecompressor().stream_reader(path.open("rb"))
    return [json.loads(line) for line in io.TextIOWrapper(stream, "utf-8")]


def _gz(path: Path, data: bytes) -> None:
    path.write_bytes(gzip.compress(data[:3000]) + gzip.compress(data[3000:]))


def _zst(path: Path, data: bytes) -> None:
    packer = zstandard.ZstdCompressor()
    path.write_bytes(packer.compress(data[:3000]) + packer.compress(data[3000:]))


def _pzstd(path: Path, data: bytes) -> None:
    """As pzstd does: before each frame one to be skipped, which says how long it is."""
    frames = [zstandard.ZstdCompressor().compress(some) for some in (data[:3000], data[3000:])]
    path.write_bytes(
        b"".join(struct.pack("<4sII", b"P*M\x18", 4, len(one)) + one for one in frames)
    )


def _parquet(path: Path, data: bytes) -> None:
    table = pa.Table.from_pylist([json.loads(line) for line in data.splitlines()])
    pq.write_table(table, path, row_group_size=17)


@pytest.mark.parametrize("pack", [_gz, _zst, _pzstd, _parquet])
def test_packed_and_parquet_files_give_the_same_tables(
    done: Path, tmp_path: Path, pack: Callable[[Path, bytes], None]
):
    data = write_lines(tmp_path / "in.jsonl", DOCUMENTS).read_bytes()
    pack(tmp_path / "packed", data)
    filter_files([tmp_path / "packed"], tmp_path / "out")
    for table in ("attributes", "duplicates", "decisions"):
        assert rows(tmp_path / "out", table) == rows(done, table)
    assert {one["id"] for one in kept_documents(tmp_path / "out")} == {
        one["id"] for one in kept_documents(done)
    }


def test_many_parts_on_processes_in_any_order_give_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(inputs, "PART_BYTES", 8192)
    files = [
        write_lines(tmp_path / f"{number}.jsonl", DOCUMENTS[number * 20 : number * 20 + 20])
        for number in range(3)
    ]
    report = filter_files(files, tmp_path / "one")
    assert report.parts > 3
    random.Random(1).shuffle(files)
    moved = [path.rename(tmp_path / f"moved-{n}.jsonl") for n, path in enumerate(files)]
    filter_files(moved[::-1], tmp_path / "two")
    assert digests(tmp_path / "two") == digests(tmp_path / "one")
    filter_files(moved, tmp_path / "two")
    assert digests(tmp_path / "two") == digests(tmp_path / "one")
    monkeypatch.undo()
    filter_files(moved, tmp_path / "three", engine=Engine(2))
    for table in ("attributes", "duplicates", "decisions"):
        name = f"{table}.parquet"
        assert digests(tmp_path / "three")[name] == digests(tmp_path / "one")[name]


def test_numbers_are_ids_too_and_other_fields_are_carried_along(tmp_path: Path):
    text = DOCUMENTS[0]["text"]
    record = {"id": 7, "text": text, "added": "2026-05-01", "metadata": {"æ": [1, None]}}
    filter_files([write_lines(tmp_path / "in.jsonl", [record])], tmp_path / "out")
    assert kept_documents(tmp_path / "out") == [{**record, "id": "7"}]


def test_text_is_normalised_as_the_policy_says(tmp_path: Path):
    text = "Vi fÃ¸lger op på sagen.\r\nDet er lang-\nsomt arbejde. " + DOCUMENTS[0]["text"]
    path = write_lines(tmp_path / "in.jsonl", [{"id": "a", "text": text}])
    report = filter_files([path], tmp_path / "out")
    assert report.normalised["mojibake"] == report.normalised["line_ends"] == 1
    lines = report.as_text().splitlines()
    assert "0 dropped" in lines
    assert "changed by normalisation: line_ends 1, mojibake 1" in lines
    begins = kept_documents(tmp_path / "out")[0]["text"][:50]
    assert begins.startswith("Vi følger op på sagen.\nDet er lang-\nsomt")
    scanned = Policy(
        name="scanned", version="1", normalisation=NormalisationPolicy(hyphenation=True)
    )
    filter_files([path], tmp_path / "out", scanned)
    assert "Det er langsomt" in kept_documents(tmp_path / "out")[0]["text"]


def test_documents_that_overlap_with_evaluation_sets_are_dropped(tmp_path: Path):
    sets = tmp_path / "sets"
    sets.mkdir()
    path = write_lines(tmp_path / "in.jsonl", DOCUMENTS[:4])
    with pytest.raises(InputError, match="no evaluation sets"):
        filter_files([path], tmp_path / "out", evaluations=sets)
    asked = " ".join(DOCUMENTS[2]["text"].split()[20:40])
    (sets / "exam.jsonl").write_text(json.dumps({"question": asked, "answer": "ja"}))
    report = filter_files([path], tmp_path / "out", evaluations=sets)
    assert report.dropped == {"evaluation-overlap": 1}
    (dropped,) = [row for row in rows(tmp_path / "out", "decisions") if not row["kept"]]
    assert (dropped["id"], dropped["value"], dropped["threshold"]) == ("doc-00002", 8.0, 0.0)
    (sets / "exam.jsonl").write_text(json.dumps({"question": "noget andet"}))
    assert filter_files([path], tmp_path / "out", evaluations=sets).dropped == {}


def test_lines_that_others_have_too_are_cut_out_where_the_policy_asks(tmp_path: Path):
    first, second = "\n".join(SENTENCES[:10]), "\n".join(SENTENCES[10:])
    mail = f"{second}\n\nHilsen fra os.\n\n{first}"
    records = [{"id": "a", "text": first}, {"id": "b", "text": mail, "to": "c"}]
    path = write_lines(tmp_path / "in.jsonl", records)
    filter_files([path], tmp_path / "out")
    assert kept_documents(tmp_path / "out") == records
    assert rows(tmp_path / "out", "cuts") == []
    policy = Policy(name="a", version="1", duplicates=DuplicatesPolicy(cut_repeated_lines=True))
    report = filter_files([path], tmp_path / "out", policy)
    shorter = {"id": "b", "text": f"{second}\n\nHilsen fra os.", "to": "c"}
    assert kept_documents(tmp_path / "out") == [records[0], shorter]
    cuts = rows(tmp_path / "out", "cuts")
    assert [(line["id"], line["survivor_id"]) for line in cuts] == [("b", "a")] * 10
    assert [mail[line["start"] : line["end"]].strip() for line in cuts] == list(SENTENCES[:10])
    size = sum(line["end"] - line["start"] for line in cuts)
    decisions = {row["id"]: row for row in rows(tmp_path / "out", "decisions")}
    assert (decisions["a"]["n_cut"], decisions["b"]["n_cut"]) == (0, size)
    assert report.characters_cut == size
    assert report.characters_kept == sum(len(one["text"]) for one in records) - size
    assert f"{size:,} characters cut out" in report.as_text()
    beside = next((tmp_path / "out" / "attributes" / "dsk").iterdir())
    spans = {one["id"]: one["attributes"]["dsk__dsk__n_cut"] for one in _lines(beside)}
    assert spans["b"] == [[0, len(shorter["text"]), size]]


def _refused(tmp_path: Path, data: bytes, name: str = "in.jsonl") -> str:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(InputError) as error:
        filter_files([path], tmp_path / "out")
    return str(error.value).replace(str(path), "FILE")


GOOD = b'{"id": "a", "text": "hemmelig tekst"}\n'


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "FILE is empty — leave it out"),
        (b"\n \n", "FILE has no documents — leave it out"),
        (GOOD + b'{"id": "b", "text": \n', "FILE line 2 is not valid JSON: "),
        (GOOD + b'\n{"id": "b", "text": "\xff"}\n', "FILE line 3 is not valid JSON"),
        (GOOD + b'["b"]\n', "FILE line 2 is not a JSON object with id and text"),
        (GOOD + b'{"id": "b", "body": ""}\n', "FILE line 2 has no field text (it has body, id)"),
        (b'{"text": ""}\n', "FILE line 1 has no field id (it has text)"),
        (GOOD + b'{"id": "b", "text": null}\n', "FILE line 2 has a text that is not a text"),
        (GOOD + b'{"id": true, "text": ""}\n', "FILE line 2 has an id that is neither"),
        (GOOD + GOOD, "the same id stands in FILE line 1 and in FILE line 2"),
        (
            gzip.compress(GOOD * 99, mtime=0)[:-20],
            "FILE is damaged or cut off somewhere after line 1",
        ),
        (zstandard.compress(GOOD * 99)[:-9], "FILE is damaged or cut off somewhere after line 1"),
        (b"PAR1" + GOOD, "FILE is no readable Parquet file — write it again"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_without_its_text(
    tmp_path: Path, data: bytes, message: str
):
    said = _refused(tmp_path, data)
    assert message in said
    assert "hemmelig" not in said


def test_the_line_is_right_in_a_later_block_and_in_another_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(inputs, "PART_BYTES", 200)
    data = b"".join(b'{"id": %d, "text": "en to tre"}\n' % number for number in range(50))
    assert "FILE line 51 is not valid JSON" in _refused(tmp_path, data + b"{\n")
    (tmp_path / "in.jsonl").write_bytes(data)
    (tmp_path / "packed").write_bytes(gzip.compress(b"".join(data.splitlines(True)[5:40])))
    with pytest.raises(InputError) as error:
        filter_files([tmp_path / "in.jsonl", tmp_path / "packed"], tmp_path / "out")
    said = str(error.value)
    assert f"{tmp_path}/in.jsonl line 11 and" in said
    assert f"{tmp_path}/packed line 6 " in said


def test_a_parquet_file_without_the_columns_is_refused(tmp_path: Path):
    pq.write_table(pa.table({"id": ["a"], "body": ["x"]}), tmp_path / "in.parquet")
    with pytest.raises(InputError, match="has no column text \\(it has id, body\\)"):
        filter_files([tmp_path / "in.parquet"], tmp_path / "out")


def test_parquet_with_text_that_is_no_utf_8_is_refused_without_showing_it(tmp_path: Path):
    latin = [b"hemmelig tekst"] * 200 + ["hemmelig bl\u00e5".encode("latin-1")]
    ids = [str(number) for number in range(len(latin))]
    text = pa.array(latin, pa.binary()).view(pa.string())
    pq.write_table(pa.table({"id": ids, "text": text}), tmp_path / "in.parquet")
    with pytest.raises(InputError, match="is no UTF-8 in rows 128 to 200") as error:
        filter_files([tmp_path / "in.parquet"], tmp_path / "out")
    assert "hemmelig" not in str(error.value)


def test_results_of_a_run_that_was_ended_while_it_wrote_are_not_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path, out = write_lines(tmp_path / "in.jsonl", DOCUMENTS[:2]), tmp_path / "out"
    filter_files([path], out)
    assert "kept" in why_in(out, "doc-00000")

    def ended(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(run, "gather", ended)
        filter_files([path], out, Policy(name="b", version="1"))
    with pytest.raises(InputError, match="no results of a run that ended"):
        why_in(out, "doc-00000")
    filter_files([path], out)
    assert "kept" in why_in(out, "doc-00000")


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path):
    path = write_lines(tmp_path / "documents" / "in.jsonl", DOCUMENTS[:2])
    with pytest.raises(InputError, match="no earlier run wrote"):
        filter_files([path], tmp_path)
    assert path.exists()


def test_one_document(tmp_path: Path):
    report = filter_files([write_lines(tmp_path / "in.jsonl", DOCUMENTS[:1])], tmp_path / "out")
    assert (report.documents, report.kept, report.clusters) == (1, 1, 0)
    assert rows(tmp_path / "out", "duplicates") == []


def test_nothing_kept_writes_no_documents(tmp_path: Path):
    english = [document(number) for number in (9, 19)]
    report = filter_files([write_lines(tmp_path / "in.jsonl", english)], tmp_path / "out")
    assert report.kept == 0
    assert not (tmp_path / "out" / "documents").exists()


def test_the_command_prints_what_came_of_it(tmp_path: Path):
    write_lines(tmp_path / "in.jsonl", DOCUMENTS)
    arguments = ["filter", "run", str(tmp_path / "in.jsonl"), "--out", str(tmp_path / "out")]
    shown = CliRunner().invoke(main, [*arguments, "--workers", "1"])
    assert shown.exit_code == 0, shown.output
    assert "60 documents" in shown.stdout
    assert "accepted-language" in shown.stdout
    as_json = CliRunner().invoke(main, [*arguments, "--workers", "1", "--json"])
    report = json.loads(as_json.stdout)
    assert report["documents"] == 60
    assert report["kept"] + sum(report["dropped"].values()) == 60


def test_dsk_why_explains_what_a_run_decided(tmp_path: Path):
    sets = tmp_path / "sets"
    sets.mkdir()
    asked = " ".join(DOCUMENTS[2]["text"].split()[20:40])
    (sets / "exam.jsonl").write_text(json.dumps({"question": asked, "answers": ["ja", "nej"]}))
    first = "\n".join(SENTENCES[:10])
    letter = {"id": "letter", "text": "\n".join([*SENTENCES[10:], first])}
    short = {"id": "short", "text": "Det er en kort besked, som ingen vil have noget imod at få."}
    records = [*DOCUMENTS[:10], {"id": "a", "text": first}, letter, short]
    policy = Policy(name="a", version="1", duplicates=DuplicatesPolicy(cut_repeated_lines=True))
    with pytest.raises(InputError, match="no results of a run that ended"):
        why_in(tmp_path, "letter")
    out = tmp_path / "out"
    path = write_lines(tmp_path / "in.jsonl", records)
    report = filter_files([path], out, policy, evaluations=sets)
    assert "not looked for: 2 texts of the evaluation sets" in report.as_text()
    assert filter_files([path], out, policy, evaluations=sets) == report
    told = {one["id"]: why_in(out, one["id"]) for one in records}
    assert f"Document a of {out} ({len(first)} characters): kept.\n" in told["a"]
    assert "most of it is in English." in told["doc-00009"]
    assert "document doc-00005 is kept and has the same text" in told["doc-00006"]
    assert "dets rækker på 13 ord også står i evalueringssæt; højst 0 må" in told["doc-00002"]
    assert "least allowed 50; rule words-min of danish-prose-v1" in told["short"]
    assert "(10 of 667 characters in all, most of them in a)" in told["letter"]
    with pytest.raises(InputError, match="no document with the id x"):
        why_in(out, "x")
    shown = CliRunner().invoke(main, ["why", "--in", str(out)])
    assert "short  words-min" in shown.stdout.splitlines()
    shown = CliRunner().invoke(main, ["why", "short", "--in", str(out)])
    assert shown.stdout.strip() == told["short"]


def test_the_policy_file_is_that_of_a_donation(tmp_path: Path):
    write_lines(
        tmp_path / "in.jsonl",
        [{"id": "a", "text": "For kort til prosa, men ikke til et brev, siger vi."}],
    )
    policy = tmp_path / "policy.yaml"
    arguments = ["filter", "run", str(tmp_path / "in.jsonl"), "--out", str(tmp_path / "out")]
    arguments += ["--workers", "1", "--json", "--policy", str(policy)]
    policy.write_text("name: a\nversion: '1'\nquality: {rules: danish-records-v1}\n")
    assert json.loads(CliRunner().invoke(main, arguments).stdout)["kept"] == 1
    policy.write_text("name: a\nversion: '1'\nquality: {rules: danish-prose-v1}\n")
    assert json.loads(CliRunner().invoke(main, arguments).stdout)["dropped"] == {"words-min": 1}
    policy.write_text("name: a\nversion: '1'\nquality: {disabled: [no-such-rule]}\n")
    refused = CliRunner().invoke(main, arguments)
    assert refused.exit_code == 1
    assert "no rule 'no-such-rule'" in refused.stderr
    policy.write_text("name: a\n")
    assert "policy.yaml: version is missing" in CliRunner().invoke(main, arguments).stderr
