"""The exporter: every validated reading of every device in InfluxDB, exactly once, through any outage."""
