"""The minutes that a meter keeps look as in the captures of real devices."""

import json

import pytest

from tests.fidelity.test_captures import CAPTURES
from tests.fidelity.test_records import BEGIN, after
from tests.simulator.methods_records import keys_of

pytestmark = pytest.mark.skipif(not CAPTURES.is_dir(), reason="the captures of real devices are not here")


@pytest.mark.parametrize("name", ["EMData.GetData_pro3em_1739876580", "EMData.GetData_pro3em_1739878740"])
def test_a_page_has_the_captured_shape(name: str) -> None:
    real = json.loads((CAPTURES / f"{name}.json").read_text())
    found = after(10)
    rows = sum(len(block["values"]) for block in real["data"])
    more = "next_record_ts" in real
    ours = found.call("EMData.GetData", id=0, ts=BEGIN + (0 if more else 600 - 60 * rows))
    assert list(ours) == list(real)
    assert ours["keys"] == real["keys"]
    assert [list(block) for block in ours["data"]] == [list(block) for block in real["data"]]
    assert [len(block["values"]) for block in ours["data"]] == [len(block["values"]) for block in real["data"]]
    assert ours["data"][0]["period"] == real["data"][0]["period"] == 60
    if more:
        assert (ours["next_record_ts"] - BEGIN, real["next_record_ts"] - real["data"][0]["ts"]) == (360, 360)


def test_the_columns_and_blocks_are_the_captured_ones() -> None:
    for name, kind in (("em1data_csv_row_proem.csv", "em1data"), ("emdata0_csv_row_2022.csv", "emdata")):
        assert (CAPTURES / name).read_text().splitlines()[0].split(",") == ["timestamp", *keys_of(kind)]
    documented = json.loads((CAPTURES / "docs_EMData.GetRecords.json").read_text())
    ours = after(2).call("EMData.GetRecords", id=0)
    assert list(ours) == list(documented)
    assert list(ours["data_blocks"][0]) == list(documented["data_blocks"][0])
