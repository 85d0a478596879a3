"""Stand-ins for carriers' HTTP APIs."""
