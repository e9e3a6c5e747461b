"""Delivery of events: at least once, in order for each partition, whatever the receiver does."""

import datetime as dt
import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from filelock import FileLock

from dsk_assets.cli.main import main
from dsk_assets.errors import DeliveryError, SettingsError
from dsk_assets.evidence.catalog import Catalog, asset_partitions
from dsk_assets.evidence.openlineage.delivery import (
    Patience,
    deliver,
    events_file,
    folder,
    replay,
    report,
)
from dsk_assets.evidence.openlineage.events import run_id
from dsk_assets.settings import load_settings
from tests.lineage_receiver import TOKEN, Receiver
from tests.support import seed

QUICK = Patience(answer=0.5, tries=3, pause=0.01, total=60)
SHARDS = "corpus/shards"


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    receiver = Receiver(tmp_path / "receiver")
    receiver.start()
    yield receiver
    receiver.stop()


@pytest.fixture
def catalog(tmp_path: Path, receiver: Receiver) -> Catalog:
    home = tmp_path / "dsk"
    return Catalog(
        load_settings(
            home=home, workers=1, openlineage_url=receiver.url, openlineage_token=TOKEN
        )
    )  # fmt: skip


@pytest.fixture
def quiet(tmp_path: Path) -> Catalog:
    """A catalog without an address: events go to the file alone."""
    return Catalog(load_settings(home=tmp_path / "dsk", workers=1, openlineage_url=""))


def fill(catalog: Catalog, partitions: str = "abc", versions: int = 2) -> None:
    for version in range(versions):
        for partition in partitions:
            seed(catalog, SHARDS, partition, files={"n": [partition, version]})


def stated(catalog: Catalog) -> dict[tuple[str, str | None], list[str]]:
    """Run ids of all statements in the lake, by partition, oldest first."""
    return {
        key: [run_id(snapshot) for snapshot in catalog.history(*key)]
        for key in asset_partitions(catalog)
    }


def streams(events: list[dict]) -> dict[tuple[str, str | None], list[str]]:
    """Run ids by partition in the order of arrival, without what arrived again."""
    found: dict[tuple[str, str | None], dict[str, None]] = defaultdict(dict)
    for event in events:
        (output,) = event["outputs"]
        (part,) = output["outputFacets"]["subset"]["outputCondition"]["partitions"]
        found[output["name"], part["identifier"]].setdefault(event["run"]["runId"])
    return {key: list(runs) for key, runs in found.items()}


def lines(catalog: Catalog) -> list[dict]:
    return [json.loads(line) for line in events_file(catalog.settings).read_text().splitlines()]


def test_every_materialisation_arrives_once_and_in_order(catalog: Catalog, receiver: Receiver):
    fill(catalog)
    done = deliver(catalog, QUICK)
    assert done.events == len(receiver.events) == len(lines(catalog)) == 6
    assert streams(receiver.events) == streams(lines(catalog)) == stated(catalog)
    assert [(one.delivered, one.waiting, one.problem) for one in done.receivers] == [
        (6, 0, None), (6, 0, None),
    ]  # fmt: skip


def test_a_second_delivery_sends_nothing(catalog: Catalog, receiver: Receiver):
    fill(catalog)
    deliver(catalog, QUICK)
    before = receiver.requests, events_file(catalog.settings).read_bytes()
    done = deliver(catalog, QUICK)
    assert [one.delivered for one in done.receivers] == [0, 0]
    assert (receiver.requests, events_file(catalog.settings).read_bytes()) == before


@pytest.mark.parametrize("trouble", ["fail", "hang", "redirect", "deny"])
def test_what_a_receiver_does_not_take_is_kept_for_it(
    catalog: Catalog, receiver: Receiver, trouble: str
):
    fill(catalog)
    receiver.set(trouble)
    file, address = deliver(catalog, QUICK).receivers
    assert (file.delivered, file.waiting) == (6, 0)
    assert (address.delivered, address.waiting) == (0, 6)
    assert address.problem
    assert receiver.events == []
    receiver.set("take")
    assert deliver(catalog, QUICK).receivers[1].delivered == 6
    assert streams(receiver.events) == stated(catalog)


def test_a_short_failure_is_tried_again_at_once(
    catalog: Catalog, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
):
    from dsk_assets.evidence.openlineage import delivery

    fill(catalog, "a", 1)
    receiver.set("fail")
    post, answers = delivery.Address._post, []

    def counted(self, event):
        answers.append(event["run"]["runId"])
        if len(answers) == 2:
            receiver.set("take")
        post(self, event)

    monkeypatch.setattr(delivery.Address, "_post", counted)
    done = deliver(catalog, QUICK)
    assert done.receivers[1].delivered == len(receiver.events) == 1
    assert len(answers) == 2


def test_a_receiver_that_dies_and_comes_back_loses_nothing(catalog: Catalog, receiver: Receiver):
    fill(catalog, "abcdef", 3)
    receiver.set("lose")
    ended = deliver(catalog, QUICK).receivers[1]
    assert ended.problem
    assert len(receiver.events) == 1
    receiver.stop()
    assert deliver(catalog, QUICK).receivers[1].waiting == 18
    receiver.start("fail")
    fill(catalog, "g", 1)
    assert deliver(catalog, QUICK).receivers[1].waiting == 19
    receiver.set("take")
    assert deliver(catalog, QUICK).receivers[1].waiting == 0
    arrived = receiver.events
    assert len({event["run"]["runId"] for event in arrived}) == 19
    assert streams(arrived) == stated(catalog)


def test_a_refused_event_holds_its_partition_and_no_other(catalog: Catalog, receiver: Receiver):
    seed(catalog, "corpus/release", "1", files={"n": 1})
    seed(catalog, "corpus/release", "1", files={"n": 2})
    fill(catalog)
    receiver.set("refuse corpus/release")
    address = deliver(catalog, QUICK).receivers[1]
    assert (address.delivered, address.waiting, address.problem) == (6, 2, None)
    assert address.refused == (("corpus/release[1]", "it answered HTTP 422"),)
    receiver.set("take")
    again = deliver(catalog, QUICK).receivers[1]
    assert (again.delivered, again.waiting, again.refused) == (2, 0, ())
    assert streams(receiver.events) == stated(catalog)


def test_nothing_is_sent_while_assets_are_made(catalog: Catalog, receiver: Receiver):
    receiver.stop()
    fill(catalog)
    receiver.start()
    assert receiver.requests == 0
    assert not folder(catalog.settings).exists()


def test_no_time_left_ends_a_delivery(catalog: Catalog, receiver: Receiver):
    fill(catalog)
    file, address = deliver(catalog, Patience(total=0.0)).receivers
    assert (file.waiting, address.waiting) == (6, 6)
    assert file.problem == address.problem == "the time for this delivery is over"
    assert deliver(catalog, QUICK).receivers[1].delivered == 6


@pytest.mark.parametrize("moment", ["event", "settled"])
def test_killed_in_a_delivery_the_next_one_completes_it(
    quiet: Catalog, monkeypatch: pytest.MonkeyPatch, moment: str
):
    from dsk_assets.evidence.openlineage import delivery
    from dsk_assets.evidence.openlineage.outbox import Outbox

    class Killed(BaseException):
        pass

    def kill(*arguments):
        raise Killed

    fill(quiet)
    deliver(quiet, QUICK)
    fill(quiet, "xyz")
    with monkeypatch.context() as patch, pytest.raises(Killed):
        if moment == "event":
            patch.setattr(delivery.EventFile, "settle", kill)
        else:
            patch.setattr(Outbox, "received", kill)
        deliver(quiet, QUICK)
    with events_file(quiet.settings).open("ab") as file:
        file.write(b'{"half a li')
    assert deliver(quiet, QUICK).receivers[0].delivered == 6
    assert len(lines(quiet)) == 12
    assert streams(lines(quiet)) == stated(quiet)


def test_a_lost_outbox_is_filled_again_with_the_same_events(quiet: Catalog):
    fill(quiet)
    deliver(quiet, QUICK)
    before = events_file(quiet.settings).read_bytes()
    for path in folder(quiet.settings).glob("outbox.sqlite*"):
        path.unlink()
    deliver(quiet, QUICK)
    assert events_file(quiet.settings).read_bytes() == before


@pytest.mark.parametrize("loss", ["deleted", "cut off"])
def test_a_lost_file_is_written_again(quiet: Catalog, loss: str):
    fill(quiet)
    deliver(quiet, QUICK)
    path = events_file(quiet.settings)
    before = path.read_bytes()
    if loss == "deleted":
        path.unlink()
    else:
        path.write_bytes(before[:500])
    fill(quiet, "d", 1)
    deliver(quiet, QUICK)
    assert path.read_bytes().startswith(before)
    assert streams(lines(quiet)) == stated(quiet)


def test_an_address_that_is_set_later_gets_everything(quiet: Catalog, receiver: Receiver):
    fill(quiet)
    deliver(quiet, QUICK)
    now = Catalog(
        load_settings(
            home=quiet.settings.home, openlineage_url=receiver.url, openlineage_token=TOKEN
        )
    )
    fill(now, "d", 1)
    assert [one.delivered for one in deliver(now, QUICK).receivers] == [1, 7]
    assert streams(receiver.events) == stated(now)


def test_replay_from_a_number_and_from_a_moment(catalog: Catalog, receiver: Receiver):
    fill(catalog, "a", 1)
    fill(catalog, "b", 1)
    deliver(catalog, QUICK)
    fill(catalog, "c", 1)
    first = lines(catalog)
    assert [one.delivered for one in replay(catalog, 2, QUICK).receivers] == [2, 2]
    assert [event["run"]["runId"] for event in lines(catalog)[:2]] == [
        event["run"]["runId"] for event in first
    ]
    assert len(lines(catalog)) == 3
    assert len(receiver.events) == 4
    after_b = dt.datetime.fromisoformat(lines(catalog)[2]["eventTime"])
    assert [one.delivered for one in replay(catalog, after_b, QUICK).receivers] == [1, 1]
    with pytest.raises(DeliveryError, match="none from 2100"):
        replay(catalog, dt.datetime(2100, 1, 1, tzinfo=dt.UTC), QUICK)
    assert [one.delivered for one in replay(catalog, patience=QUICK).receivers] == [3, 3]
    assert len(receiver.events) == 8
    assert streams(receiver.events) == streams(lines(catalog)) == stated(catalog)


def test_a_clock_that_runs_backwards_does_not_turn_a_partition_around(quiet: Catalog):
    from dsk_assets.evidence.catalog import STATEMENTS
    from dsk_assets.evidence.envelope import open_envelope, seal
    from dsk_assets.evidence.keys import STATEMENTS as ROLE
    from dsk_assets.evidence.keys import signer

    fill(quiet, "a", 3)
    path = Path(quiet.lake.root) / STATEMENTS / SHARDS / "a" / "000003.json"
    statement = json.loads(json.dumps(open_envelope(path.read_bytes()).statement))
    statement["predicate"]["runDetails"]["metadata"]["finishedOn"] = "2020-01-01T00:00:00.000Z"
    path.write_bytes(seal(statement, [signer(quiet.settings, ROLE)]).as_bytes())
    deliver(quiet, QUICK)
    assert streams(lines(quiet)) == stated(quiet)


def test_a_statement_that_cannot_be_read_holds_nobody_else(quiet: Catalog):
    from dsk_assets.evidence.catalog import STATEMENTS

    fill(quiet)
    path = Path(quiet.lake.root) / STATEMENTS / SHARDS / "b" / "000001.json"
    good = path.read_bytes()
    path.write_bytes(b"{}")
    done = deliver(quiet, QUICK)
    assert done.unreadable == ("corpus/shards[b]",)
    assert done.receivers[0].delivered == 4
    path.write_bytes(good)
    assert deliver(quiet, QUICK).receivers[0].delivered == 2
    assert streams(lines(quiet)) == stated(quiet)


def test_only_one_delivery_at_a_time(quiet: Catalog):
    fill(quiet)
    deliver(quiet, QUICK)
    with FileLock(folder(quiet.settings) / "lock"), pytest.raises(DeliveryError, match="under way"):
        deliver(quiet, QUICK)


def test_another_lake_needs_an_outbox_of_its_own(quiet: Catalog, tmp_path: Path):
    fill(quiet)
    deliver(quiet, QUICK)
    other = Catalog(load_settings(home=quiet.settings.home, lake=str(tmp_path / "other")))
    fill(other)
    with pytest.raises(DeliveryError, match="DSK_HOME of its own"):
        deliver(other, QUICK)
    assert deliver(quiet, QUICK).receivers[0].waiting == 0


def test_a_report_counts_what_waits_and_sends_nothing(catalog: Catalog, receiver: Receiver):
    fill(catalog)
    assert [one.waiting for one in report(catalog).receivers] == [6, 6]
    assert receiver.requests == 0
    deliver(catalog, QUICK)
    assert [one.waiting for one in report(catalog).receivers] == [0, 0]


def test_the_token_is_neither_shown_nor_stored(catalog: Catalog, receiver: Receiver):
    fill(catalog, "a", 1)
    done = deliver(catalog, QUICK)
    shown = [repr(catalog.settings), json.dumps(done.as_json())]
    stored = [path.read_bytes() for path in folder(catalog.settings).iterdir()]
    assert not any(TOKEN in text for text in shown)
    assert not any(TOKEN.encode() in data for data in stored)


def test_an_address_with_a_password_is_refused_without_showing_it():
    with pytest.raises(SettingsError, match="DSK_OPENLINEAGE_TOKEN") as refused:
        load_settings(openlineage_url="https://user:secret@example.org/api/v1/lineage")
    assert "secret" not in str(refused.value)


def test_an_address_must_be_http():
    with pytest.raises(SettingsError, match="DSK_OPENLINEAGE_URL"):
        load_settings(openlineage_url="ftp://example.org")


def test_the_commands(catalog: Catalog, receiver: Receiver, monkeypatch: pytest.MonkeyPatch):
    fill(catalog)
    monkeypatch.setenv("DSK_HOME", str(catalog.settings.home))
    monkeypatch.setenv("DSK_OPENLINEAGE_URL", receiver.url)
    monkeypatch.setenv("DSK_OPENLINEAGE_TOKEN", TOKEN)
    run = CliRunner().invoke
    done = run(main, ["openlineage", "deliver", "--json"])
    assert done.exit_code == 0
    assert json.loads(done.stdout)["receivers"][1]["delivered"] == 6
    receiver.set("refuse corpus/shards")
    done = run(main, ["openlineage", "replay", "--from", "2020-01-01"])
    assert done.exit_code == 1
    assert "corpus/shards[b] was not taken: it answered HTTP 422" in done.output
    assert run(main, ["openlineage", "status"]).exit_code == 1
    receiver.set("take")
    done = run(main, ["openlineage", "deliver"])
    assert (done.exit_code, "6 delivered now, 0 waiting" in done.output) == (0, True)
    wrong = run(main, ["openlineage", "replay", "--from", "last week"])
    assert wrong.exit_code == 2
    assert "neither a number nor a date" in wrong.output


def test_the_queue_needs_no_event_to_be_stored(quiet: Catalog):
    fill(quiet)
    deliver(quiet, QUICK)
    with sqlite3.connect(folder(quiet.settings) / "outbox.sqlite") as connection:
        (rows,) = connection.execute("SELECT count(*) FROM event").fetchone()
        assert rows == 6
        with pytest.raises(sqlite3.IntegrityError):
            connection.execute(
                "INSERT INTO event (run_id, asset, partition, number, time) "
                "SELECT run_id, 'x', 'x', 1, time FROM event LIMIT 1"
            )
