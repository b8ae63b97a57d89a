"""A grid of places."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

PLACE = ["cell", "field", "filed_at", "lat", "lon", "id"]


def upgrade() -> None:
    with op.batch_alter_table("reports", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("cell", sa.BigInteger(), nullable=True, comment="where the point lies on the grid")
        )
        batch_op.drop_index("ix_reports_place")
    # PostgreSQL rounds in a cast, SQLite cuts.
    cut = "trunc" if op.get_bind().dialect.name == "postgresql" else ""
    row, column = f"{cut}((lat + 90.0) * 1000.0)", f"{cut}((lon + 180.0) * 1000.0)"
    op.execute(
        f"UPDATE reports SET cell = CAST({row} AS BIGINT) * 1000000 + CAST({column} AS BIGINT)"  # noqa: S608
        " WHERE lat IS NOT NULL AND lon IS NOT NULL"
    )
    with op.batch_alter_table("reports", schema=None) as batch_op:
        batch_op.create_index("ix_reports_place", PLACE, unique=False)


def downgrade() -> None:
    with op.batch_alter_table("reports", schema=None) as batch_op:
        batch_op.drop_index("ix_reports_place")
        batch_op.create_index("ix_reports_place", ["lat", "lon", "field", "filed_at"], unique=False)
        batch_op.drop_column("cell")
