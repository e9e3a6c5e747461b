"""Progress bars: nothing where nothing was worked on."""

import pytest

from dsk_assets.lake.progress import shown, track


def test_without_work_nothing_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with shown():
        pass
    assert capsys.readouterr().err == ""
    with shown():
        assert list(track([1, 2], "work", unit="pieces")) == [1, 2]
    told = capsys.readouterr().err
    assert "2/2 pieces" in told and told.endswith("\n")
    assert list(track([1], "work")) == [1]
    assert capsys.readouterr().err == ""
