"""Two customer files for the demo: one clean, one as messy as real life. `make.py` wrote them."""
