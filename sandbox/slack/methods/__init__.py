"""The Web API methods this workspace knows, by name."""

from sandbox.slack.methods import chat, conversations, files, people, views
from sandbox.slack.web_api import Methods

METHODS: Methods = {**chat.METHODS, **conversations.METHODS, **files.METHODS, **people.METHODS, **views.METHODS}
