"""Pictures that are drawn before they are sent; when a report was first taken on, and figures of a time."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# What the history calls taking a report on.
_TAKEN = """UPDATE reports SET taken_at = (SELECT min(history.at) FROM history WHERE history.report = reports.id
AND history.action IN ('take', 'start', 'postpone', 'ask_help', 'close'))"""


def upgrade() -> None:
    op.create_table(
        "pictures",
        sa.Column("key", sa.Text(), nullable=False, comment="where it is or will be in the photo store"),
        sa.Column("spec", sa.Text(), nullable=False, comment="JSON: its kind, its words, what it shows"),
        sa.Column("state", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("tries", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column(
            "due_at", sa.BigInteger(), nullable=False, comment="when it is to be drawn; while it is, a lease"
        ),
        sa.Column(
            "asked_at", sa.BigInteger(), nullable=False, comment="when it was last promised to somebody"
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_pictures")),
    )
    with op.batch_alter_table("pictures", schema=None) as batch_op:
        batch_op.create_index(
            "ix_pictures_waiting",
            ["due_at"],
            unique=False,
            sqlite_where=sa.text("state = 0"),
            postgresql_where=sa.text("state = 0"),
        )
        batch_op.create_index("ix_pictures_asked", ["asked_at"], unique=False)

    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.create_index(
            "ix_outbox_undrawn",
            ["photo"],
            unique=False,
            sqlite_where=sa.text("state = 8"),
            postgresql_where=sa.text("state = 8"),
        )

    with op.batch_alter_table("reports", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("taken_at", sa.BigInteger(), nullable=True, comment="when somebody first took it on")
        )
    op.execute(_TAKEN)
    op.create_index(
        "ix_reports_filed",
        "reports",
        ["filed_at", "unit", "desk", "field", "private", "status", "taken_at", "closed_at"],
        unique=False,
    )


def downgrade() -> None:
    op.drop_index("ix_reports_filed", table_name="reports")
    # Not in a batch: that makes a new table, and others hold on to this one.
    op.drop_column("reports", "taken_at")

    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_outbox_undrawn", sqlite_where=sa.text("state = 8"), postgresql_where=sa.text("state = 8")
        )

    with op.batch_alter_table("pictures", schema=None) as batch_op:
        batch_op.drop_index("ix_pictures_asked")
        batch_op.drop_index(
            "ix_pictures_waiting", sqlite_where=sa.text("state = 0"), postgresql_where=sa.text("state = 0")
        )
    op.drop_table("pictures")
