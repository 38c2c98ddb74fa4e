"""What Grafana makes of a board and of an alert rule, against a real InfluxDB: there is no Grafana to run here.

Written from `@grafana/scenes` 9.2.2 and `@grafana/data` 13.2.3 (variables, formats, intervals, relative times), from
the InfluxDB plug-in (the statement, names of series, tables) and from Grafana's alerting (expressions, states). What
they can do and our boards do not use is refused, not guessed: `UnsupportedError`.
"""


class UnsupportedError(Exception):
    """A board or a rule uses something that is not reproduced here; the text says what."""
