"""Review by a person: the sample, what is kept of it, and the terminal it is shown in."""

import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import pyarrow as pa
import pytest

from dsk_assets.cli.review import CLEAR, LEAVE, SMALL, found, read
from dsk_assets.defs.filtering.assets import REVIEW
from dsk_assets.defs.resources import CatalogResource
from dsk_assets.errors import MissingInputError, NotAdmittedError, SettingsError
from dsk_assets.evidence.catalog import Catalog
from dsk_assets.gates.screening import review_of
from dsk_assets.lake.store import Zone
from dsk_assets.privacy.review import SHARES, WORDS, Review, draw, recorded
from tests.support import DONATION, seed

PLAIN = "og det blev en stille dag ved havet hvor ingen sagde noget " * 9
TEXTS = [
    PLAIN,
    "i går sagde Xarquo Blimf nej tak til det hele og gik hjem igen uden et ord",
    "nummeret 12 34 56 78 er ledigt",
    "<PERSON> kom med <DK_CPR>",
    "Vejret var godt. Solen skinnede! Det blev sent.",
    "",
]


def search(catalog: Catalog, texts: list[str] = TEXTS) -> None:
    table = pa.table({"doc_id": [str(n) for n in range(len(texts))], "text": texts})
    seed(catalog, "filtering/personal_data", DONATION, tables={"document": table})


def test_passages_are_of_three_kinds_and_placeholders_are_no_words() -> None:
    sample = draw(TEXTS, 100, "1")
    kinds = {passage.text: passage.stratum for passage in sample.passages}
    assert kinds[TEXTS[1]] == "capitals" and kinds[TEXTS[2]] == "digits"
    assert kinds[TEXTS[3]] == kinds[TEXTS[4]] == "rest"
    assert sample.words == sum(len(text.split()) for text in TEXTS) - 2
    assert sample.sizes == {"digits": 1, "capitals": 1, "rest": len(sample.passages) - 2}
    assert all(len(passage.text.split()) <= WORDS for passage in sample.passages)


def test_passages_cover_the_text_once_with_what_stands_around() -> None:
    sample = draw([PLAIN.strip()], 100, "1")
    inside = {passage.before + passage.text + passage.after for passage in sample.passages}
    assert all(one in PLAIN for one in inside)
    assert sum(len(passage.text.split()) for passage in sample.passages) == sample.words


def test_the_sample_is_random_and_the_same_for_the_same_text() -> None:
    texts = [f"{PLAIN} {n}" for n in range(100)]
    once, again, other = (draw(texts, 50, seed) for seed in ("1", "1", "2"))
    assert once == again != other
    assert len(once.passages) == 50


def test_every_stratum_gets_its_share_or_all_it_has() -> None:
    texts = [*[f"i dag {n} {PLAIN}" for n in range(90)], *["nu Xarquo kom"] * 500, TEXTS[2]]
    sample = draw(texts, 200, "1")
    found = {kind: sum(p.stratum == kind for p in sample.passages) for kind in SHARES}
    assert found["digits"] == 1 and found["capitals"] > found["rest"] > 50
    assert sum(found.values()) == 200


@pytest.mark.parametrize("kind", ["capitals", "rest"])
def test_each_passage_of_a_stratum_is_as_likely_as_another(kind: str) -> None:
    texts = [
        ("nu Xarquo kom " if kind == "capitals" else "nu kom der ") + str(n) for n in range(20)
    ]
    times = dict.fromkeys(texts, 0)
    for number in range(400):
        for passage in draw(texts, 5, str(number)).passages:
            times[passage.text] += 1
    assert all(60 < count < 145 for count in times.values()), times


def test_counts_are_recorded_and_nothing_else(catalog: Catalog) -> None:
    search(catalog)
    review = Review(catalog, DONATION, "curator", 100)
    while review.current is not None:
        review.answer("Xarquo" in review.current.text)
    snapshot = review.finish()
    content = snapshot.json("review.json")
    assert content["strata"]["capitals"] == {"passages": 1, "read": 1, "leaks": 1}
    assert content["bound"] == round(1 / content["words"] * 100_000, 1), "all was read"
    assert content["role"] == "curator"
    assert review_of(catalog, catalog.require("filtering/personal_data", DONATION)) is not None
    evidence = [
        p for p in catalog.settings.home.rglob("*") if p.is_file() and "curated" not in p.parts
    ]
    assert not any(
        word in path.read_text("utf-8") for path in evidence for word in ("Xarquo", "havet")
    )


def test_what_a_review_came_to_is_said_with_the_separators_of_each_language() -> None:
    english, danish = found(1400, 0, 2003.5).split("\n")
    assert "1,400 passages read" in english and "at most 2,003.5 leaks" in english
    assert "1.400 stykker læst" in danish and "højst 2.003,5 rester" in danish


def test_a_review_is_shown_as_an_asset_and_made_by_nothing_else(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(MissingInputError, match=f"dsk privacy review {DONATION}"):
        recorded(catalog, DONATION)
    assert REVIEW.wanted(catalog) == []
    search(catalog)
    review = Review(catalog, DONATION, "curator", 100)
    while review.current is not None:
        review.answer(False)
    made = review.finish()

    @dg.job(executor_def=dg.in_process_executor, resource_defs={"catalog": CatalogResource()})
    def night() -> None:
        REVIEW.as_op()()

    monkeypatch.setenv("DSK_HOME", str(catalog.settings.home))
    with dg.DagsterInstance.ephemeral() as instance:
        assert night.execute_in_process(instance=instance).success
        event = instance.get_latest_materialization_event(REVIEW.asset_key)
    assert event is not None and event.asset_materialization is not None
    shown = event.asset_materialization
    assert shown.partition == DONATION
    assert (shown.tags or {})["dagster/data_version"] == f"sha256:{made.digest}"
    assert shown.metadata["leaks_at_most"].value == made.counts["leaks_at_most"]
    assert not REVIEW.stale(catalog, DONATION) and recorded(catalog, DONATION) == made


def test_a_review_goes_on_where_it_stopped_and_only_with_the_same_texts(catalog: Catalog) -> None:
    search(catalog)
    first = Review(catalog, DONATION, "auditor", 10)
    shown = [first.current]
    first.answer(True)
    shown.append(first.current)
    first.answer(False)
    again = Review(catalog, DONATION, "auditor", 10)
    assert (again.position, again.leaks) == (2, 1)
    assert again.current not in shown
    with pytest.raises(SettingsError, match="still to be read"):
        again.finish()
    search(catalog, [*TEXTS, "et nyt dokument"])
    assert Review(catalog, DONATION, "auditor", 10).position == 0


def test_a_review_that_was_begun_otherwise_is_not_thrown_away(catalog: Catalog) -> None:
    search(catalog)
    Review(catalog, DONATION, "auditor", 10).answer(True)
    for role, size in (("donor", 10), ("auditor", 9)):
        with pytest.raises(SettingsError, match="--role auditor --passages 10"):
            Review(catalog, DONATION, role, size)
    assert Review(catalog, DONATION, "auditor", 10).leaks == 1


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "",
        lambda text: text[:-9],
        lambda text: "[]",
        lambda text: text.replace('"role"', '"name"'),
        lambda text: text.replace('"leaks": {', '"leaks": {"digits": 5, '),
        lambda text: text.replace('"read": {', '"read": {"none": 1, '),
    ],
)
def test_counts_that_are_damaged_are_not_used(
    catalog: Catalog, damage: Callable[[str], str]
) -> None:
    search(catalog)
    Review(catalog, DONATION, "auditor", 10).answer(True)
    (path,) = Path(catalog.settings.home, "reviews").glob("*.json")
    path.write_text(damage(path.read_text()))
    with pytest.raises(SettingsError, match=f"{re.escape(str(path))} is damaged"):
        Review(catalog, DONATION, "auditor", 10)


def test_texts_that_change_between_two_sittings_or_within_one_are_read_anew(
    catalog: Catalog,
) -> None:
    search(catalog)
    review = Review(catalog, DONATION, "auditor", 10)
    review.answer(True)
    search(catalog, [*TEXTS, "et nyt dokument"])
    while review.current is not None:
        review.answer(False)
    with pytest.raises(SettingsError, match="have changed"):
        review.finish()
    assert catalog.latest("filtering/review", DONATION) is None
    again = Review(catalog, DONATION, "auditor", 10)
    assert again.anew and again.position == 0


def test_nobody_reads_a_donation_that_is_withdrawn(catalog: Catalog) -> None:
    search(catalog)
    review = Review(catalog, DONATION, "auditor", 1)
    review.answer(False)
    manifest = {"withdrawal": {"withdrawn_on": "2020-01-01"}}
    seed(catalog, "donations/landing", DONATION, zone=Zone.RESTRICTED,
         files={"manifest.json": manifest})  # fmt: skip
    with pytest.raises(NotAdmittedError, match="withdrawn"):
        review.finish()
    with pytest.raises(NotAdmittedError, match="withdrawn"):
        Review(catalog, DONATION, "auditor", 1)


def test_an_answer_can_be_taken_back_once(catalog: Catalog) -> None:
    search(catalog)
    review = Review(catalog, DONATION, "donor", 10)
    assert not review.undo()
    before = review.current
    review.answer(True)
    assert review.undo() and not review.undo()
    assert (review.position, review.leaks, review.current) == (0, 0, before)
    assert Review(catalog, DONATION, "donor", 10).leaks == 0


def test_a_reviewer_is_a_role_and_a_review_needs_texts(catalog: Catalog) -> None:
    with pytest.raises(MissingInputError, match="dsk status"):
        Review(catalog, DONATION, "donor", 10)
    search(catalog)
    with pytest.raises(SettingsError, match="auditor"):
        Review(catalog, DONATION, "Xarquo Blimf", 10)
    with pytest.raises(SettingsError, match="at least one"):
        Review(catalog, DONATION, "donor", 0)


def test_keys_answer_undo_and_stop_and_the_screen_is_left_clean(catalog: Catalog) -> None:
    search(catalog)
    written: list[str] = []
    review = Review(catalog, DONATION, "donor", 5)
    keys = iter(["x", " ", "l", "u", "l", "q"])
    assert not read(review, lambda: next(keys), written.append, ["Inger Krogh"])
    assert (review.position, review.leaks) == (2, 1)
    assert written[-1] == CLEAR + LEAVE
    assert "Inger Krogh" in written[1] and "fortryd" in written[1]


@pytest.mark.parametrize("size", [(80, 12), (12, 24), (1, 1)])
def test_a_passage_is_shown_whole_or_not_at_all(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    search(catalog, ["Xarquo" * 500 + " Blimf " + PLAIN])
    sizes = iter([os.terminal_size(size), *[os.terminal_size((80, 24))] * 500])
    monkeypatch.setattr(shutil, "get_terminal_size", lambda: next(sizes))
    written: list[str] = []
    review = Review(catalog, DONATION, "donor", 100)
    keys = iter([" ", *["l"] * 500])
    assert read(review, lambda: next(keys), written.append, [])
    assert written[1] == CLEAR + SMALL
    assert review.leaks == len(review.sample.passages) == len(written) - 3
    for page in written[2:-1]:
        rows = re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", page).split("\n")
        assert sum(max(1, -(-len(row) // 80)) for row in rows) <= 24


def test_what_steers_a_terminal_is_not_sent_to_it(catalog: Catalog) -> None:
    search(catalog, ["hej \x1b]0;navn\x07 med \x1b[2J dig"])
    written: list[str] = []
    keys = iter(["q"])
    read(Review(catalog, DONATION, "donor", 5), lambda: next(keys), written.append, [])
    assert "\x1b]0;" not in "".join(written) and "\x07" not in "".join(written)


def interact(catalog: Catalog, keys: str, *signals: signal.Signals) -> str:
    """Run the command in a terminal of its own, press *keys*, one a page, and send *signals*."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "dsk_assets.cli", "privacy", "review", DONATION, "--role=auditor",
         "--passages=5"],
        env={**os.environ, "DSK_HOME": str(catalog.settings.home)},
        stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    shown = "".join(_pages(ours, iter(keys), lambda: [*map(process.send_signal, signals)]))
    os.close(ours)
    assert process.wait(60) == (-9 if signal.SIGKILL in signals else 0)
    return shown


def _pages(terminal: int, keys: Iterator[str], end: Callable[[], object]) -> Iterator[str]:
    page = b""
    while select.select([terminal], [], [], 60)[0]:
        try:
            found = os.read(terminal, 65536)
        except OSError:
            break
        page += found
        if b"go on later" in page and page.rstrip().endswith(b"senere"):
            pressed = next(keys, None)
            if pressed is None:
                end()
            else:
                os.write(terminal, pressed.encode())
            yield page.decode()
            page = b""
    yield page.decode()


def test_the_command_in_a_terminal(catalog: Catalog) -> None:
    search(catalog)
    interact(catalog, " ", signal.SIGKILL)
    first = interact(catalog, "l", signal.SIGTSTP, signal.SIGTERM)
    assert "2 of 5 passages read" in first.rpartition("\x1b[?1049l")[2]
    last = interact(catalog, "   ").rpartition("\x1b[?1049l")[2]
    assert "5 passages read, personal data left in 1" in last and "rester" in last
    assert not any(word in first.rpartition("\x1b[?1049l")[2] + last for word in ("havet", "Blimf"))
    content = catalog.require("filtering/review", DONATION).json("review.json")
    assert sum(one["read"] for one in content["strata"].values()) == 5
    assert not list(Path(catalog.settings.home, "reviews").glob("*.json"))


def test_without_a_terminal_nothing_is_shown(catalog: Catalog) -> None:
    search(catalog)
    done = subprocess.run(
        [sys.executable, "-m", "dsk_assets.cli", "privacy", "review", DONATION, "--role", "donor"],
        env={**os.environ, "DSK_HOME": str(catalog.settings.home)},
        capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    assert done.returncode == 1 and "terminal" in done.stderr
    assert "havet" not in done.stdout + done.stderr
    assert json.dumps(done.stdout) == '""'
