"""Personal data in JSON lines, and the score on labelled documents."""

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zstandard
from click.testing import CliRunner, Result

from dsk_assets.cli.main import main
from dsk_assets.errors import DonationError, InputError
from dsk_assets.privacy import evaluate as evaluating
from dsk_assets.privacy import guarded
from dsk_assets.privacy.analyser import Analyser
from dsk_assets.privacy.entities import PRIORITY
from dsk_assets.privacy.evaluate import evaluate, score
from dsk_assets.privacy.recognisers.cpr import CprRecognizer
from dsk_assets.privacy.recognisers.registry import all_recognisers
from dsk_assets.privacy.scan import redact_lines, scan_lines
from dsk_assets.privacy.synthetic import cpr, documents
from tests.engines import TRIGGER


def line(text: str, identity: int = 7) -> str:
    return json.dumps({"id": identity, "text": text})


def test_scan_gives_spans_of_the_original_text_and_flags() -> None:
    text = "Anne Bundgaard (cpr 170389\u20111234) lider af epilepsi."
    (found,) = scan_lines([line(text), "\n"])
    values = [(text[s["start"] : s["end"]], s["label"]) for s in found["spans"]]
    assert values == [("Anne Bundgaard", "PERSON"), ("170389\u20111234", "DK_CPR")]
    assert (found["id"], found["flags"]) == (7, ["health"])


def test_redact_gives_the_redacted_text_and_where_things_stood() -> None:
    text = "Ring til Anne på 67 12 34 56."
    (found,) = redact_lines([line(text)])
    assert found["text"] == "Ring til <PERSON> på <PHONE_NUMBER>."
    assert (found["id"], found["withheld"], found["flags"]) == (7, None, [])
    for span in found["spans"]:
        assert found["text"][span["start"] : span["end"]] == f"<{span['label']}>"
    values = [text[span["source_start"] : span["source_end"]] for span in found["spans"]]
    assert values == ["Anne", "67 12 34 56"]


@pytest.mark.parametrize(
    ("lines", "engine"), [(scan_lines, "backtracking"), (redact_lines, "crashing")]
)
def test_a_text_on_which_the_search_hangs_or_crashes_is_withheld(
    lines: Callable[..., Iterator[dict]], engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guarded, "ENGINE", f"tests.engines:{engine}")
    monkeypatch.setattr(guarded, "SECONDS", 0.5)
    hung, well = lines([line(f"Anne gik i en {TRIGGER}."), line("67 12 34 56", 8)])
    assert (hung.get("text"), hung["spans"]) == (None, [])
    assert "recogniser-stopped" in {*hung["flags"], hung.get("withheld")}
    assert [span["label"] for span in well["spans"]] == ["PHONE_NUMBER"]


GOOD = line("Cpr 170389-1234.")
BAD = {
    "{": "no JSON object",
    "[" * 100_000: "no JSON object",
    "[]": "no JSON object",
    '{"id": 1}': "no JSON object",
    '{"text": "170389-1234"}': "no JSON object",
    '{"id": [1], "text": "170389-1234"}': '"id"',
    '{"id": null, "text": "170389-1234"}': '"id"',
    '{"id": 1, "text": null}': '"text"',
    '{"id": 1, "text": ["170389-1234"]}': '"text"',
    '{"id": 1, "text": "170389-1234 \udcff"}': "UTF-8",
    GOOD: "came before",
}


@pytest.mark.parametrize("lines", [scan_lines, redact_lines])
@pytest.mark.parametrize("bad", BAD)
def test_a_bad_line_is_named_by_number_only_and_holds_no_other(
    lines: Callable[..., Iterator[dict]], bad: str
) -> None:
    done = []
    with pytest.raises(DonationError, match="line 2 ") as caught:
        for one in lines([GOOD, bad, '{"id": "b", "text": ""}']):
            done.append(one["id"])
    assert done == ([7, 7, "b"] if bad == GOOD else [7, "b"])
    assert BAD[bad] in str(caught.value)
    assert "170389" not in str(caught.value)


@pytest.mark.parametrize("name", ["scan", "redact"])
def test_a_file_is_not_written_into_itself(tmp_path: Path, name: str) -> None:
    path = tmp_path / "texts.jsonl"
    path.write_text(GOOD + "\n", "utf-8")
    with path.open("a") as out:
        arguments = ["-m", "dsk_assets.cli", "privacy", name, str(path)]
        done = subprocess.run(
            [sys.executable, *arguments], stdout=out, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 1 and "write to another file" in done.stderr
    assert path.read_text("utf-8") == GOOD + "\n"


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_packed_lines_are_read_and_a_damaged_end_is_told(pack: Callable[[bytes], bytes]) -> None:
    lines = "".join(line("Cpr 170389-1234.", n) + "\n" for n in range(3000))
    packed = pack(lines.encode())
    whole = command("scan", stdin=packed, ENGINE="tests.engines:quick")
    assert (whole.exit_code, len(whole.stdout.splitlines())) == (0, 3000)
    cut = command("scan", stdin=packed[:-9], ENGINE="tests.engines:quick")
    assert cut.exit_code == 1 and "damaged or ends too early" in cut.stderr
    assert isinstance(cut.exception, SystemExit)


def test_a_policy_says_what_is_written_instead(tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("name: mine\nversion: '1'\npersonal_data: {actions: {PERSON: pseudonym}}\n")
    stdin = line("Det fortalte Anne Bundgaard.").encode()
    done = command("redact", "--policy", str(policy), stdin=stdin)
    assert json.loads(done.stdout)["text"] == "Det fortalte <PERSON_1>."


def test_an_id_that_holds_a_cpr_number_is_not_written() -> None:
    stdin = "\n".join([json.dumps({"id": "sag 170389-1234", "text": ""}), line("x")]).encode()
    done = command("redact", stdin=stdin)
    assert done.exit_code == 1 and "line 1 has an id that holds a CPR number" in done.stderr
    assert "170389" not in done.output and json.loads(done.stdout)["id"] == 7


def test_a_mark_of_the_byte_order_is_no_part_of_the_first_line(tmp_path: Path) -> None:
    done = command("scan", stdin=f"\ufeff{GOOD}".encode())
    assert (done.exit_code, json.loads(done.stdout)["id"]) == (0, 7)
    path = tmp_path / "labelled.jsonl"
    path.write_text(f"\ufeff{LABELLED}", "utf-8")
    assert evaluate(path).documents == 1


def test_many_bad_lines_are_counted() -> None:
    with pytest.raises(DonationError, match=r"line 10 .* and 90 others — correct the file"):
        list(scan_lines(["{"] * 100))
    with pytest.raises(DonationError, match="the other lines are done"):
        list(scan_lines([GOOD, "{"]))


def command(*arguments: str, stdin: bytes, **patched: object) -> Result:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in patched.items():
            patch.setattr(guarded, name, value)
        return CliRunner().invoke(main, ["privacy", *arguments, "-"], input=stdin)


def test_the_commands_write_what_they_can_and_tell_what_they_cannot() -> None:
    lines = [line(f"Anne gik i en {TRIGGER}."), "Anne Bundgaard", line("67 12 34 56", 8)]
    for name in ("scan", "redact"):
        done = command(name, stdin="\n".join(lines).encode(), ENGINE="tests.engines:raising")
        assert done.exit_code == 1
        written = [json.loads(one) for one in done.stdout.splitlines()]
        assert [len(one["spans"]) for one in written] == [0, 1]
        assert "1 of 2 documents could not be searched (recogniser-error 1)" in done.stderr
        assert "line 2 " in done.stderr
        assert "Anne" not in done.stderr + done.stdout
        whole = command(name, stdin="\n".join(lines[::2]).encode(), ENGINE="tests.engines:raising")
        assert whole.exit_code == 3
        assert command(name, stdin=lines[2].encode()).exit_code == 0


def test_characters_that_are_none_come_back_as_they_came() -> None:
    stdin = b'{"id": "\\ud800", "text": "x \\ud800 y"}'
    done = command("redact", stdin=stdin)
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["text"] == "x \ud800 y"


def test_the_score_counts_spans_found_whole_and_look_alikes() -> None:
    document = {
        "id": "1",
        "text": "Anne Bundgaard og qwxz 67 12 34 56, 12.03.2024",
        "spans": [
            {"start": 0, "end": 14, "label": "PERSON"},
            {"start": 18, "end": 22, "label": "PERSON"},
        ],
        "decoys": [{"start": 36, "end": 46, "kind": "date"}],
    }
    outcome = score([document])
    person, phone = outcome.by_type["PERSON"], outcome.by_type["PHONE_NUMBER"]
    assert (person.spans, person.found, phone.findings, phone.right) == (2, 1, 1, 0)
    assert (outcome.with_personal_data, outcome.leaking) == (1, 1)
    assert outcome.decoys["date"].found == 0
    assert "under such a label" not in outcome.markdown()
    document["spans"][0]["label"] = "NAME"
    assert "Not looked for under such a label: NAME." in score([document]).markdown()
    assert "| PERSON | 2 | 50.0 % | 50.0 % |" in outcome.markdown()


def test_the_synthetic_set_is_found_whole(tmp_path: Path) -> None:
    labelled = [*documents(150, 5)]
    outcome = score(labelled)
    assert outcome.total.recall is not None and outcome.total.recall > 0.995
    assert outcome.total.precision is not None and outcome.total.precision > 0.99
    path = tmp_path / "labelled.jsonl"
    path.write_text("".join(json.dumps(document) + "\n" for document in labelled), "utf-8")
    assert evaluate(path).counts() == outcome.counts()


@pytest.mark.parametrize("name", ["synthetic", "synthetic_names"])
def test_the_generators_say_what_they_want(name: str) -> None:
    def run(*arguments: str) -> str:
        command = [sys.executable, "-m", f"dsk_assets.privacy.{name}", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert "Traceback" not in done.stderr
        return done.stdout + done.stderr

    assert run().startswith(f"usage: python -m dsk_assets.privacy.{name} [-h] number seed")
    first, *_ = run("1", "1").splitlines()
    assert json.loads(first)["spans"] is not None


LABELLED = '{"text": "67 12 34 56", "spans": [{"start": 0, "end": 11, "label": "PHONE_NUMBER"}]}'


@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        (b"Anne Bundgaard", 'is no JSON object with "text" and "spans"'),
        (b'{"text": "Anne"}', 'is no JSON object with "text" and "spans"'),
        (b"[" * 100_000, 'is no JSON object with "text" and "spans"'),
        (b'{"text": 5, "spans": []}', 'has a "text" that is no text'),
        (b'{"text": "Anne", "spans": {}}', 'has "spans" that are no list'),
        (b'{"text": "Anne", "spans": [{"start": 0, "end": 5, "label": "PERSON"}]}', "number 1"),
        (b'{"text": "Anne", "spans": [{"start": 0, "end": true, "label": "PERSON"}]}', "no place"),
        (b'{"text": "Anne", "spans": ["PERSON"]}', "no place in its text: spans number 1"),
        (b'{"text": "Anne", "spans": [{"start": 0, "end": 4}]}', 'no "label" in spans number 1'),
        (
            b'{"text": "Anne", "spans": [], "decoys": [{"start": 0, "end": 4}]}',
            'has no "kind" in decoys number 1',
        ),
        (b'{"text": "Anne \xe6", "spans": []}', "is not in UTF-8"),
    ],
)
def test_a_line_that_is_no_labelled_document_is_named_and_nothing_is_searched(
    tmp_path: Path, bad: bytes, problem: str
) -> None:
    path = tmp_path / "labelled.jsonl"
    path.write_bytes(b"\n".join([LABELLED.encode(), b"", bad]))
    done = CliRunner().invoke(main, ["privacy", "evaluate", str(path)])
    assert done.exit_code == 1 and isinstance(done.exception, SystemExit)
    assert "line 3 " in done.stderr and problem in done.stderr
    assert "line 1 " not in done.stderr and not done.stdout
    assert "Anne" not in done.stderr


def test_a_set_that_is_empty_or_cannot_be_read_twice_is_refused(tmp_path: Path) -> None:
    path, pipe = tmp_path / "labelled.jsonl", tmp_path / "pipe"
    path.write_text("\n\n", "utf-8")
    os.mkfifo(pipe)
    for file, problem in ((path, "no labelled document"), (pipe, "read twice")):
        with pytest.raises(InputError, match=problem):
            evaluate(file)


@pytest.mark.parametrize("other", ["{", ""])
def test_a_set_that_changes_while_it_is_read_has_no_score(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other: str
) -> None:
    path = tmp_path / "labelled.jsonl"
    path.write_text(f"{LABELLED}\n", "utf-8")

    def then_changed(items: Iterator[object], *_: object, **named: object) -> Iterator[object]:
        path.write_text(other, "utf-8")
        return items

    monkeypatch.setattr(evaluating, "track", then_changed)
    with pytest.raises(InputError, match="changed"):
        evaluate(path)


def test_what_cannot_be_searched_is_counted_by_itself(tmp_path: Path) -> None:
    path = tmp_path / "labelled.jsonl"
    span = '{"start": 0, "end": 4, "label": "PERSON"}'
    path.write_text(f'{{"text": "Anne {TRIGGER}", "spans": [{span}]}}\n{LABELLED}\n', "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(guarded, "ENGINE", "tests.engines:raising")
        done = CliRunner().invoke(main, ["privacy", "evaluate", "--json", str(path)])
    assert done.exit_code == 3
    counts = json.loads(done.stdout)
    assert (counts["documents"], counts["unsearched"], counts["leaking"]) == (1, 1, 0)
    assert "PERSON" not in counts["types"]


def test_without_the_cpr_recogniser_the_score_shows_leaks() -> None:
    blind = Analyser(
        [r for r in all_recognisers() if not isinstance(r, CprRecognizer)],
        [entity for entity in PRIORITY if entity != "DK_CPR"],
    )
    tally = score(documents(60, 5), blind).by_type["DK_CPR"]
    assert tally.found < tally.spans / 2


def test_synthetic_numbers_belong_to_nobody() -> None:
    import random

    weights = (4, 3, 2, 7, 6, 5, 4, 3, 2, 1)
    for seed in range(300):
        checked = seed % 2 == 0
        ten = cpr(random.Random(seed), checked)
        passes = sum(int(d) * w for d, w in zip(ten, weights, strict=True)) % 11 == 0
        assert passes == checked
        assert ten[:4] != "0101"
        assert not checked or (ten[6] in "5678" and ten[4:6] >= "58")


def test_presidio_is_not_loaded_with_the_stage() -> None:
    code = (
        "import sys; import dsk_assets.privacy.stage, dsk_assets.privacy.scan, "
        "dsk_assets.privacy.evaluate; from dsk_assets.privacy.analyser import digest; digest(); "
        "assert 'presidio_analyzer' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
