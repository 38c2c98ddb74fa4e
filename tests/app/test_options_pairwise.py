"""The combinations that all rendering is tested with."""

from itertools import combinations as subsets
from itertools import product

from shelly_app.options import BrokerMode, DatabaseKind, DatabaseMode, LogLevel, Role, TlsMode
from tests.app.pairwise import FACTORS, combinations, rows


def test_every_two_values_meet() -> None:
    met = {frozenset(pair) for row in rows(FACTORS) for pair in subsets(row.items(), 2)}
    for one, other in subsets(FACTORS, 2):
        for first, second in product(range(len(FACTORS[one])), range(len(FACTORS[other]))):
            assert frozenset({(one, first), (other, second)}) in met


def test_there_are_few() -> None:
    largest = sorted(map(len, FACTORS.values()))[-2:]
    assert largest[0] * largest[1] <= len(rows(FACTORS)) <= 1.3 * largest[0] * largest[1]


def test_they_are_the_same_each_time() -> None:
    assert combinations() == combinations()


def test_they_have_every_word_of_every_choice() -> None:
    every = combinations()
    assert {options.mqtt.mode for options in every} == set(BrokerMode)
    assert {options.mqtt.tls.mode for options in every} == set(TlsMode)
    assert {options.database.mode for options in every} == set(DatabaseMode)
    assert {options.database.kind for options in every} == set(DatabaseKind)
    assert {options.boards.role for options in every} == set(Role)
    assert {options.log_level for options in every} == set(LogLevel)


def test_rows_of_little() -> None:
    assert rows({"a": (0, 1), "b": (0,)}) == [{"a": 0, "b": 0}, {"a": 1, "b": 0}]
