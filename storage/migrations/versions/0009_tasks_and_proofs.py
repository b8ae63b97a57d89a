"""Tasks of the office, what units did of them; photos of a result that show reports as dealt with."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "proofs",
        sa.Column("report", ID, nullable=False),
        sa.Column("photo", ID, nullable=False),
        sa.ForeignKeyConstraint(["report"], ["reports.id"], name=op.f("fk_proofs_report")),
        sa.ForeignKeyConstraint(["photo"], ["photos.id"], name=op.f("fk_proofs_photo")),
        sa.PrimaryKeyConstraint("report", "photo", name=op.f("pk_proofs")),
    )
    op.create_index(op.f("ix_proofs_photo"), "proofs", ["photo"], unique=False)
    op.create_index("ix_photos_purpose", "photos", ["purpose"], unique=False, **_where("report IS NULL"))
    op.create_table(
        "tasks",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False, comment="as people say it"),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("day", sa.Text(), nullable=False, comment="when it is due, ISO"),
        sa.Column("units", sa.Text(), nullable=False, comment="who is to do it"),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("person", sa.Text(), nullable=True, comment="who gave it"),
        sa.Column("made_by", sa.Text(), nullable=False, comment="their name"),
        sa.Column("state", sa.Text(), nullable=False, comment="open, closed or cancelled"),
        sa.Column("done", sa.Text(), server_default="", nullable=False, comment="steps told or let go"),
        sa.Column("due_at", sa.BigInteger(), nullable=True, comment="when the next step is due"),
        sa.Column("version", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_tasks")),
    )
    op.create_index("ix_tasks_due", "tasks", ["due_at"], unique=False, **_where("due_at IS NOT NULL"))
    op.create_index("ix_tasks_open", "tasks", ["number"], unique=False, **_where("state = 'open'"))
    op.create_table(
        "task_results",
        sa.Column("task", sa.Integer(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("accepted_at", sa.BigInteger(), nullable=True),
        sa.Column("accepted_by", sa.Text(), server_default="", nullable=False, comment="the member's name"),
        sa.Column("reported_at", sa.BigInteger(), nullable=True),
        sa.Column("reported_by", sa.Text(), server_default="", nullable=False),
        sa.Column("households", sa.Integer(), nullable=True),
        sa.Column("of_households", sa.Integer(), nullable=True),
        sa.Column("people", sa.Integer(), nullable=True),
        sa.Column("kg", sa.Integer(), nullable=True),
        sa.Column("trees", sa.Integer(), nullable=True),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("version", sa.Integer(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(["task"], ["tasks.number"], name=op.f("fk_task_results_task")),
        sa.PrimaryKeyConstraint("task", "unit", name=op.f("pk_task_results")),
    )
    op.create_table(
        "task_history",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("task", sa.Integer(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("person", sa.Text(), nullable=True),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column(
            "told", sa.Text(), server_default="{}", nullable=False, comment="the numbers as they were given"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_task_history")),
    )
    op.create_index("ix_task_history", "task_history", ["task", "unit"], unique=False)


def _where(condition: str) -> dict[str, Any]:
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


def downgrade() -> None:
    for table in ("task_history", "task_results", "tasks"):
        op.drop_table(table)
    op.drop_index("ix_photos_purpose", "photos")
    op.drop_table("proofs")
