"""Stand-ins for the outside world; shares no code with bot, handlers and services."""
