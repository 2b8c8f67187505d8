"""Writing to nbgrader's gradebook: one writer, each student whole or not at all, and a copy beforehand."""

import datetime
import json
import sqlite3
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from unittest.mock import patch

from nbgrader.api import Gradebook
from sqlalchemy import MetaData, select
from sqlalchemy.exc import SAWarning
from sqlalchemy.orm import scoped_session, sessionmaker

from autograder.store import write_whole

BACKUPS = 20


@contextmanager
def one_transaction(opened: Gradebook) -> Iterator[Gradebook]:
    """All that nbgrader writes meanwhile, by whichever gradebook it opens, is one transaction.

    nbgrader opens its database anew in every step and commits after every cell. Here all of it goes through
    one connection, and is committed at the end, or not at all if an error passes.
    """
    with opened.engine.connect() as connection, connection.begin():
        session = scoped_session(sessionmaker(autoflush=True, expire_on_commit=False, bind=connection))

        def join(gradebook: Gradebook, *_, **__) -> None:
            gradebook.engine, gradebook.db = opened.engine, session
            gradebook.course_id, gradebook.authenticator = opened.course_id, None

        with (
            patch.object(Gradebook, "__init__", join),
            patch.object(Gradebook, "close", lambda gradebook: None),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore", SAWarning)  # nbgrader 0.9 does what SQLAlchemy 2 remarks upon
            try:
                yield Gradebook()
                session.commit()
            finally:
                session.remove()


def back_up(gradebook: Gradebook, folder: Path) -> Path:
    """Copy the gradebook into a folder, and keep the last copies: SQLite as it is, others as JSON lines."""
    folder.mkdir(exist_ok=True)
    now = datetime.datetime.now().strftime("%Y-%m-%d-%H%M%S-%f")
    if gradebook.engine.url.get_backend_name() == "sqlite":
        copy = folder / f"gradebook-{now}.db"
        unfinished = copy.with_suffix(".new")
        path = gradebook.engine.url.database
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(unfinished)) as target:
            source.backup(target)
        unfinished.rename(copy)
    else:
        copy = folder / f"gradebook-{now}.jsonl"
        write_whole(copy, "".join(_rows(gradebook)).encode())
    for old in sorted(folder.glob("gradebook-*.*"))[:-BACKUPS]:
        old.unlink(missing_ok=True)
    return copy


def _rows(gradebook: Gradebook) -> Iterator[str]:
    """Every row of every table, a line each."""
    tables = MetaData()
    tables.reflect(gradebook.engine)
    with gradebook.engine.connect() as connection:
        for table in tables.sorted_tables:
            for row in connection.execute(select(table)).mappings():
                yield json.dumps({"table": table.name, "row": dict(row)}, default=str) + "\n"


def mark_for_a_person(gradebook: Gradebook, topic: str, student: str, names: set[str]) -> None:
    """Have formgrader list these exercises of a student as needing manual grading."""
    gradebook.update_or_create_student(student)
    gradebook.update_or_create_submission(topic, student)
    for notebook in gradebook.find_submission(topic, student).notebooks:
        for grade in notebook.grades:
            if any(grade.cell.name == f"{topic}-{name}-tests" for name in names):
                grade.needs_manual_grade = True
    gradebook.db.commit()
