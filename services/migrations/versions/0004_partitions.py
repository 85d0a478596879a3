"""the tables with a row per recipient in partitions by task, on PostgreSQL, so that retention drops whole ones

On SQLite there are no partitions. What the partitions are like from here on is in services/partitions.py.
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# The primary key of each; a receipt's has to hold what the table is partitioned by.
_KEYS = {
    "recipient": "task_id, seq",
    "submission": "task_id, seq",
    "result": "task_id, seq",
    "receipt": "task_id, id",
}
_WIDTH = 10_000_000
_RECEIPT_ONCE = "application_id, reference, number, sms_id, sequence, status, task_id"


def upgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    last = op.get_bind().exec_driver_sql("SELECT coalesce(max(id), 0) FROM send_task").scalar_one()
    for table, key in _KEYS.items():
        op.execute(f"ALTER TABLE {table} RENAME TO {table}_whole")
        op.execute(f"ALTER TABLE {table}_whole DROP CONSTRAINT pk_{table}")
        op.execute(f"CREATE TABLE {table} (LIKE {table}_whole INCLUDING DEFAULTS) PARTITION BY RANGE (task_id)")
        op.execute(f"ALTER TABLE {table} ADD CONSTRAINT pk_{table} PRIMARY KEY ({key})")
    op.execute("ALTER TABLE receipt_whole DROP CONSTRAINT uq_receipt_once")
    op.execute("DROP INDEX ix_receipt_new, ix_receipt_of_no_task")
    op.execute("ALTER SEQUENCE receipt_id_seq OWNED BY receipt.id")
    _index_receipts()
    op.execute("CREATE TABLE receipt_untold PARTITION OF receipt FOR VALUES FROM (0) TO (1)")
    for table in _KEYS:
        op.execute(f"CREATE TABLE {table}_rest PARTITION OF {table} DEFAULT")
        for no in range(last // _WIDTH + 2):
            bounds = f"FROM ({max(no * _WIDTH, 1)}) TO ({(no + 1) * _WIDTH})"
            op.execute(f"CREATE TABLE {table}_p{no} PARTITION OF {table} FOR VALUES {bounds}")
        op.execute(f"INSERT INTO {table} SELECT * FROM {table}_whole")  # noqa: S608 - names from above
        op.execute(f"DROP TABLE {table}_whole")


def downgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    for table, key in _KEYS.items():
        op.execute(f"ALTER TABLE {table} RENAME TO {table}_parted")
        op.execute(f"ALTER TABLE {table}_parted DROP CONSTRAINT pk_{table}")
        op.execute(f"CREATE TABLE {table} (LIKE {table}_parted INCLUDING DEFAULTS)")
        op.execute(f"ALTER TABLE {table} ADD CONSTRAINT pk_{table} PRIMARY KEY ({'id' if table == 'receipt' else key})")
    op.execute("ALTER TABLE receipt_parted DROP CONSTRAINT uq_receipt_once")
    op.execute("DROP INDEX ix_receipt_new, ix_receipt_of_no_task")
    op.execute("ALTER SEQUENCE receipt_id_seq OWNED BY receipt.id")
    _index_receipts()
    for table in _KEYS:
        op.execute(f"INSERT INTO {table} SELECT * FROM {table}_parted")  # noqa: S608 - names from above
        op.execute(f"DROP TABLE {table}_parted")


def _index_receipts() -> None:
    op.execute(f"ALTER TABLE receipt ADD CONSTRAINT uq_receipt_once UNIQUE ({_RECEIPT_ONCE})")
    op.execute("CREATE INDEX ix_receipt_new ON receipt (id) WHERE NOT applied")
    op.execute("CREATE INDEX ix_receipt_of_no_task ON receipt (received_at) WHERE task_id = 0")
