"""Any lines of an append, and any number of appends."""

from hypothesis import strategies as st

lines = st.lists(st.binary(min_size=1, max_size=40).filter(lambda line: b"\n" not in line), min_size=1, max_size=6)
appends = st.lists(lines, min_size=1, max_size=6)
