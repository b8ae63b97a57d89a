"""The office's notices: who wrote them and let them go; audiences and starts of broadcasts; changed messages."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
OPEN = sa.text("state IN ('waiting', 'running')")
EDITS = sa.text("edits IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "announcements",
        sa.Column("id", Id, autoincrement=False, nullable=False, comment="the inbox row that asked for it"),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("audience", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False, comment="waiting, running, refused, withdrawn, over"),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("author", sa.Text(), nullable=True, comment="the person who wrote it; empty once erased"),
        sa.Column("author_name", sa.Text(), nullable=False),
        sa.Column("author_ear", sa.Text(), nullable=True, comment="JSON: where the author hears of it"),
        sa.Column("decided_at", sa.BigInteger(), nullable=True),
        sa.Column("decider", sa.Text(), nullable=True, comment="the person who let it go, or did not"),
        sa.Column("decider_name", sa.Text(), server_default="", nullable=False),
        sa.Column("decider_ear", sa.Text(), nullable=True),
        sa.Column("stopped_name", sa.Text(), server_default="", nullable=False, comment="who broke it off"),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("result", sa.Text(), server_default="", nullable=False, comment="JSON: how many are where"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_announcements")),
    )
    op.create_index(
        "ix_announcements_open", "announcements", ["id"], sqlite_where=OPEN, postgresql_where=OPEN
    )
    op.create_index(op.f("ix_members_role"), "members", ["role"])
    with op.batch_alter_table("broadcasts", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column(
                "audience", sa.Text(), server_default="reminded", nullable=False, comment="whom it is for"
            )
        )
        batch_op.add_column(
            sa.Column("starts_at", sa.BigInteger(), nullable=True, comment="nothing goes out before")
        )
    with op.batch_alter_table("people", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column(
                "stopped_at",
                sa.BigInteger(),
                nullable=True,
                comment="when they said that they want no notices",
            )
        )
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.add_column(sa.Column("edits", Id, nullable=True, comment="the message that it changes"))
    op.create_index("ix_outbox_edits", "outbox", ["edits"], sqlite_where=EDITS, postgresql_where=EDITS)


def downgrade() -> None:
    op.drop_index("ix_outbox_edits", table_name="outbox")
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.drop_column("edits")
    with op.batch_alter_table("people", schema=None) as batch_op:
        batch_op.drop_column("stopped_at")
    with op.batch_alter_table("broadcasts", schema=None) as batch_op:
        batch_op.drop_column("starts_at")
        batch_op.drop_column("audience")
    op.drop_index(op.f("ix_members_role"), table_name="members")
    op.drop_index("ix_announcements_open", table_name="announcements")
    op.drop_table("announcements")
