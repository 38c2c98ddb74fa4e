"""The integration in Home Assistant's own test harness, fed with the payloads of tests/fixtures."""
