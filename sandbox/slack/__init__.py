"""Stand-in for Slack: Web API, Socket Mode, Events over HTTP, files, and a page to act as people."""
