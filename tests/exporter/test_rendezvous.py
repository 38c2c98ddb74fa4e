from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from shelly_exporter.cluster.rendezvous import owner

DEVICES = [f"shellypro3em-{number:012x}" for number in range(1000)]
names = st.text(min_size=1, max_size=8)


def test_devices_are_spread_evenly() -> None:
    shares = Counter(owner(device, ["one", "two", "three"]) for device in DEVICES)
    assert set(shares) == {"one", "two", "three"}
    assert min(shares.values()) > 280


@given(st.sets(names, min_size=1, max_size=6), st.text(max_size=20), names)
def test_only_what_a_new_member_gets_moves(members: set[str], device: str, new: str) -> None:
    before, after = owner(device, sorted(members)), owner(device, sorted(members | {new}, reverse=True))
    assert after in {before, new}


@given(st.sets(names, min_size=2, max_size=6), st.text(max_size=20), st.data())
def test_only_what_a_lost_member_had_moves(members: set[str], device: str, data: st.DataObject) -> None:
    lost = data.draw(st.sampled_from(sorted(members)))
    before = owner(device, members)
    assert lost == before or owner(device, members - {lost}) == before
