"""Damage as disks do it: rows that an index lost, and bytes that changed."""

import sqlite3
from contextlib import closing
from pathlib import Path


def hide_rows(file: Path, index: str, which: str) -> None:
    """Let an index of an SQLite file lose the rows that a condition names; the table keeps them."""
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        sql = "SELECT sql FROM sqlite_master WHERE name = ?"
        whole = str(connection.execute(sql, (index,)).fetchone()[0])
    _write_schema(file, index, f"{whole} WHERE NOT ({which})")
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute(f"REINDEX {index}")
    _write_schema(file, index, whole)


def _write_schema(file: Path, index: str, sql: str) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_master SET sql = ? WHERE name = ?", (sql, index))


def flip_three_bytes(file: Path, index: str) -> None:
    """Let a page of an index say that it holds half of its rows, where its contents begin too."""
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        size = int(connection.execute("PRAGMA page_size").fetchone()[0])
        sql = "SELECT rootpage FROM sqlite_master WHERE name = ?"
        root = int(connection.execute(sql, (index,)).fetchone()[0])
    content = bytearray(file.read_bytes())
    page = (root - 1) * size
    if content[page] == 2:  # an inner page: its last child, by the file format's section 1.6
        page = (int.from_bytes(content[page + 8 : page + 12], "big") - 1) * size
    assert content[page] == 10, "a leaf of an index"
    count = int.from_bytes(content[page + 3 : page + 5], "big")
    content[page + 3 : page + 5] = (count // 2).to_bytes(2, "big")
    content[page + 7] ^= 1
    file.write_bytes(content)
