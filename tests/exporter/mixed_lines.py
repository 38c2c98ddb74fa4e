"""Lines that a store takes, and lines that it refuses for one reason or another."""

from hypothesis import strategies as st

OLDEST = 100
goods = st.builds(
    "{},d={} x={}i,y={}.5 {}".format,
    st.sampled_from(["em", "sw"]),
    st.sampled_from("ab"),
    st.integers(0, 9),
    st.integers(0, 9),
    st.integers(OLDEST, OLDEST + 60),
)
olds = st.builds("em,d=a x={}i {}".format, st.integers(0, 9), st.integers(0, OLDEST - 1))
conflicting = st.builds("em,d=a x={}.5,y=1.5 {}".format, st.integers(0, 9), st.integers(OLDEST, OLDEST + 60))
lonely = st.builds("em,d=a x={}.5 {}".format, st.integers(0, 9), st.integers(OLDEST, OLDEST + 60))
garbage = st.sampled_from(["garbage", "em,d=a x= 1", "it's 'all' wrong"])
lines = st.lists(st.one_of(goods, goods, goods, olds, conflicting, lonely, garbage), min_size=1, max_size=30)
