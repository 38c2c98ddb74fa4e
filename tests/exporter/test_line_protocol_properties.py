"""What holds for any line."""

from hypothesis import example, given
from hypothesis import strategies as st

from shelly_exporter.line_protocol import escape_tag, measurement_of, parse, quote, split_field, time_of

# Text that a line can hold as it is: what is replaced is tested on its own.
faithful = st.text(st.characters(exclude_characters="\\\n\r", codec="utf-8"), min_size=1, max_size=12)
strings = st.text(st.characters(exclude_characters="\n\r", codec="utf-8"), max_size=12)
values = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.integers(-(2**63), 2**63 - 1).map("{}i".format),
    st.booleans().map(str),
    strings.map(quote),
)
fields = st.dictionaries(faithful, values, min_size=1, max_size=5)
tags = st.dictionaries(faithful, faithful, max_size=4)
times = st.integers(0, 2**53)


def line_of(measurement: str, tags: dict[str, str], fields: dict[str, str], time: int) -> bytes:
    key = ",".join((measurement, *(f"{escape_tag(name)}={escape_tag(value)}" for name, value in tags.items())))
    body = ",".join(f"{escape_tag(name)}={value}" for name, value in fields.items())
    return f"{key} {body} {time}".encode()


@given(tags, fields, times)
@example({"device": "a,b c=d"}, {"fw": quote('1.7 "beta", x=1 2')}, 1790000000120)
def test_a_line_comes_apart_where_it_was_put_together(tags: dict[str, str], fields: dict[str, str], time: int) -> None:
    line = line_of("em", tags, fields, time)
    parts = parse(line)
    assert parts is not None
    assert list(parts.fields) == [f"{escape_tag(name)}={value}".encode() for name, value in fields.items()]
    assert parts.time == str(time).encode()
    assert parts.with_fields(parts.fields) == line
    assert measurement_of(line) == "em"
    assert time_of(line) == time


@given(tags, fields, times, st.data())
def test_what_is_split_off_and_what_is_left_make_the_line(
    tags: dict[str, str], fields: dict[str, str], time: int, data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(sorted(fields)))
    split = split_field(line_of("em", tags, fields, time), name)
    assert split.field == line_of("em", tags, {name: fields.pop(name)}, time)
    assert split.rest == (line_of("em", tags, fields, time) if fields else None)


@given(st.text(max_size=20), st.text(max_size=20))
def test_no_text_breaks_a_line(tag: str, text: str) -> None:
    line = f"m,t=x{escape_tag(tag)} s={quote(text)},n=1i 5".encode(errors="replace")
    assert b"\n" not in line
    parts = parse(line)
    assert parts is not None
    assert parts.fields[1] == b"n=1i"
    assert parts.time == b"5"


@given(st.binary(max_size=60))
@example(b"")
@example(b"em")
@example(b'em s="unclosed 1')
@example(b"em x=1 5\\")
def test_whatever_it_is_nothing_is_raised_and_nothing_lost(line: bytes) -> None:
    assert isinstance(measurement_of(line), str)
    assert time_of(line) is None or parse(line) is not None
    if parse(line) is None:
        assert split_field(line, "x") == (line, None)
