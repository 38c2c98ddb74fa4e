"""How fast the product is, next to what it has to beat: `python -m tests.benchmarks`, see README.md."""
