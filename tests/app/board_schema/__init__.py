"""Grafana's own types, from its npm package, as a judge of the boards."""
