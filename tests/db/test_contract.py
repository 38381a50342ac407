from toolkit.db import Database


async def test_x(db: Database) -> None:
    assert await db.fetch_one("SELECT COUNT(*) AS n FROM calls") == {"n": 0}
