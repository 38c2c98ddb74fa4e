"""Real programs on loopback for demo, end-to-end tests and benchmarks: Mosquitto, simulator, Home Assistant."""

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
