"""Activities outside clean-up days: their history, their partners; the households of each unit."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def _id() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "activities",
        sa.Column("id", _id(), autoincrement=False, nullable=False, comment="the number that people say"),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False, comment="the reporting year"),
        sa.Column("number", sa.Double(), nullable=True),
        sa.Column("of", sa.Double(), nullable=True, comment="of so many in all"),
        sa.Column("measure", sa.Text(), server_default="", nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("words", sa.Text(), server_default="", nullable=False, comment="what was said besides"),
        sa.Column("state", sa.Text(), nullable=False, comment="told, confirmed, doubted, struck"),
        sa.Column("told_by", sa.Text(), nullable=True, comment="none once they are erased"),
        sa.Column("told_name", sa.Text(), server_default="", nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("checked_by", sa.Text(), nullable=True, comment="who confirmed or doubted it"),
        sa.Column("checked_name", sa.Text(), server_default="", nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False, comment="the purpose of its photos"),
        sa.Column("version", sa.Integer(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(["checked_by"], ["people.id"], name=op.f("fk_activities_checked_by")),
        sa.ForeignKeyConstraint(["told_by"], ["people.id"], name=op.f("fk_activities_told_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_activities")),
        sa.UniqueConstraint("evidence", name=op.f("uq_activities_evidence")),
    )
    op.create_index("ix_activities_unit", "activities", ["unit", "year"])
    op.create_table(
        "activity_partners",
        sa.Column("activity", _id(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["activity"], ["activities.id"], name=op.f("fk_activity_partners_activity")),
        sa.PrimaryKeyConstraint("activity", "unit", name=op.f("pk_activity_partners")),
    )
    op.create_index("ix_activity_partners_unit", "activity_partners", ["unit"])
    op.create_table(
        "activity_history",
        sa.Column("id", _id(), autoincrement=True, nullable=False),
        sa.Column("activity", _id(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("person", sa.Text(), nullable=True),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column(
            "told", sa.Text(), server_default="{}", nullable=False, comment="the columns as they became"
        ),
        sa.Column("note", sa.Text(), server_default="", nullable=False, comment="the reason"),
        sa.ForeignKeyConstraint(["activity"], ["activities.id"], name=op.f("fk_activity_history_activity")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_activity_history")),
    )
    op.create_index("ix_activity_history", "activity_history", ["activity"])
    op.create_table(
        "households",
        sa.Column("id", _id(), autoincrement=True, nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False, comment="the reporting year; its newest row counts"),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("person", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_households")),
    )
    op.create_index("ix_households", "households", ["year", "unit"])


def downgrade() -> None:
    op.drop_index("ix_households", table_name="households")
    op.drop_table("households")
    op.drop_index("ix_activity_history", table_name="activity_history")
    op.drop_table("activity_history")
    op.drop_index("ix_activity_partners_unit", table_name="activity_partners")
    op.drop_table("activity_partners")
    op.drop_index("ix_activities_unit", table_name="activities")
    op.drop_table("activities")
