"""A virtual switchboard in a real Home Assistant: `python -m tests.demo`."""
