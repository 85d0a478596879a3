"""the queue of batches, on PostgreSQL: Procrastinate's own tables and functions, as its version 3.10 makes them"""

from typing import Any

from alembic import op
from procrastinate.schema import SchemaManager

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        # Straight to the driver: the text holds colons and percent signs that SQLAlchemy would read.
        driver: Any = op.get_bind().connection.driver_connection
        driver.execute(SchemaManager.get_schema())


def downgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    op.execute("DROP TABLE procrastinate_periodic_defers, procrastinate_events, procrastinate_jobs CASCADE")
    op.execute("DROP TABLE procrastinate_workers CASCADE")
    op.execute(
        """
        DO $$
        DECLARE routine record;
        BEGIN
            FOR routine IN SELECT oid::regprocedure AS signature FROM pg_proc WHERE proname LIKE 'procrastinate\\_%'
                AND pronamespace = current_schema()::regnamespace
            LOOP
                EXECUTE 'DROP FUNCTION ' || routine.signature || ' CASCADE';
            END LOOP;
        END $$
        """
    )
    op.execute("DROP TYPE procrastinate_job_to_defer_v1")
    op.execute("DROP TYPE procrastinate_job_event_type")
    op.execute("DROP TYPE procrastinate_job_status")
