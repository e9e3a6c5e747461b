"""Settings: defaults that work, and the promise that data stay in the EU."""

import datetime as dt
from types import SimpleNamespace

import pytest

from dsk_assets.errors import SettingsError
from dsk_assets.settings import EU_COUNTRIES, EU_REGIONS, load_settings


def test_a_host_outside_the_eu_is_refused():
    for country in ("US", "GB", "NO", "CH", "xx"):
        with pytest.raises(SettingsError, match="not an EU member state"):
            load_settings(country=country)


@pytest.mark.parametrize("region", ["us-east-1", "eu-west-2", "eu-central-2", ""])
def test_storage_outside_the_eu_is_refused(region: str):
    with pytest.raises(SettingsError, match="not a known EU region"):
        load_settings(lake="s3://bucket/lake", s3_region=region)


def test_every_known_region_lies_in_a_member_state():
    assert set(EU_REGIONS.values()) <= EU_COUNTRIES
    assert len(EU_COUNTRIES) == 27


def test_a_wrong_value_names_the_variable(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DSK_WORKERS", "0")
    with pytest.raises(SettingsError, match="DSK_WORKERS is '0'"):
        load_settings()


def test_the_lake_lies_below_home_by_default(tmp_path):
    assert load_settings(home=tmp_path).lake_url == str(tmp_path / "lake")


@pytest.mark.parametrize("lake", ["s3a://bucket/lake", "memory://lake", "https://host/lake"])
def test_storage_whose_place_cannot_be_checked_is_refused(lake: str):
    with pytest.raises(SettingsError, match="only a folder or s3://bucket/prefix"):
        load_settings(lake=lake, s3_region="eu-north-1")


def test_an_endpoint_of_another_region_is_refused():
    with pytest.raises(SettingsError, match="not in region 'eu-north-1'"):
        load_settings(
            lake="s3://bucket/lake",
            s3_region="eu-north-1",
            s3_endpoint="https://s3.us-east-1.amazonaws.com",
        )


@pytest.mark.parametrize(
    ("moment", "day"),
    [("2026-06-30T21:59:59Z", "2026-06-30"), ("2026-06-30T22:00:00Z", "2026-07-01")],
)
def test_a_day_begins_at_midnight_in_denmark(moment: str, day: str, monkeypatch):
    """The night runs at 01:30 in Copenhagen, when a host on UTC still writes yesterday."""

    class Clock(dt.datetime):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> dt.datetime:
            return dt.datetime.fromisoformat(moment).astimezone(tz)

    monkeypatch.setattr("dsk_assets.settings.dt", SimpleNamespace(datetime=Clock))
    assert load_settings().date == dt.date.fromisoformat(day)
