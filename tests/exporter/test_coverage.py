from hypothesis import given
from hypothesis import strategies as st

from shelly_exporter.history.coverage import Coverage, Span

instants = st.integers(0, 60)
spans = st.lists(st.tuples(instants, instants), max_size=12)


def seconds(coverage: Coverage) -> set[int]:
    return {second for span in coverage.spans for second in range(span.start, span.end)}


def test_what_touches_becomes_one() -> None:
    coverage = Coverage([(10, 20), (30, 40), (20, 30)])
    assert coverage.spans == (Span(10, 40),)
    assert Coverage([(10, 20), (21, 30)]).spans == (Span(10, 20), Span(21, 30))
    assert Coverage([(10, 10), (20, 10)]).spans == ()


def test_the_first_gap() -> None:
    coverage = Coverage([(10, 20), (30, 40)])
    assert coverage.gap(0, 100) == (0, 10)
    assert coverage.gap(10, 100) == (20, 30)
    assert coverage.gap(25, 28) == (25, 28)
    assert coverage.gap(35, 100) == (40, 100)
    assert coverage.gap(10, 20) is None
    assert coverage.gap(50, 50) is None


@given(spans)
def test_it_is_a_set_of_seconds(given_spans: list[tuple[int, int]]) -> None:
    coverage = Coverage(given_spans)
    assert seconds(coverage) == {second for start, end in given_spans for second in range(start, end)}
    ends = [end for span in coverage.spans for end in span]
    assert ends == sorted(set(ends)), "in order, apart, none empty"
    assert Coverage(coverage.spans).spans == coverage.spans


@given(spans, instants, instants)
def test_gaps_and_what_is_missing(given_spans: list[tuple[int, int]], start: int, end: int) -> None:
    coverage = Coverage(given_spans)
    missing = set(range(start, end)) - seconds(coverage)
    assert coverage.missing_s(start, end) == len(missing)
    gap = coverage.gap(start, end)
    if gap is None:
        assert not missing
        return
    assert gap.start == min(missing)
    assert set(range(gap.start, gap.end)) <= missing
    assert gap.end == end or gap.end not in missing


@given(spans, instants, instants)
def test_keeping_a_part(given_spans: list[tuple[int, int]], start: int, end: int) -> None:
    coverage = Coverage(given_spans)
    before = seconds(coverage)
    coverage.keep(start, end)
    assert seconds(coverage) == before & set(range(start, end))
    assert all(span.start < span.end for span in coverage.spans)
