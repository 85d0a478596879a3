"""One file per carrier behind the port in `ports.py`."""
