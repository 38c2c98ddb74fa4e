"""What the panels of the board have in common."""

from functools import partial

from shelly_boards.fields import ENERGY, MONEY, unit
from shelly_boards.query import COUNTED, select

NO_ENERGY = "No energy was counted in this time"
KWH = 'sum("import_kwh") AS "drawn", sum("export_kwh") AS "fed in"'
COSTS = 'sum("import_kwh") * ${price:raw} AS "cost", sum("export_kwh") * ${export_price:raw} AS "earned"'
SUMS = f"{KWH}, {COSTS}"
UNITS = (
    unit("drawn", ENERGY, 2),
    unit("fed in", ENERGY, 2),
    unit("cost", MONEY, 2),
    unit("earned", MONEY, 2),
)
by_choice = partial(select, where=COUNTED)
"""A statement about the energy that is chosen at the top of the board."""
