"""The ground as a grid of cells, about a hundred metres each way: what is near shares one or is next door."""

CELLS_A_DEGREE = 1_000
# Wider than a row is long: a cell reads as its row, then its column.
ROW = 1_000_000


def cell(lat: float | None, lon: float | None) -> int | None:
    if lat is None or lon is None:
        return None
    return _row(lat) * ROW + _column(lon)


def cells_around(lat: float, lon: float, reach: float) -> list[int]:
    """The cells of a box that reaches so many degrees each way."""
    rows = range(_row(lat - reach), _row(lat + reach) + 1)
    columns = range(_column(lon - reach), _column(lon + reach) + 1)
    return [row * ROW + column for row in rows for column in columns]


# Shifted, so that nothing on Earth is negative and to cut is to round down, here and in every database.
def _row(lat: float) -> int:
    return int((lat + 90) * CELLS_A_DEGREE)


def _column(lon: float) -> int:
    return int((lon + 180) * CELLS_A_DEGREE)
