"""Pictures of articles: kept once by their hash, seen by whoever may read an article that shows them."""

import msgspec

from services.intake.domain.articles import Article
from shared.database import Transaction
from shared.errors import FieldError, Invalid


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """A picture that is kept. `sha256` is its name: `![what it shows](picture:<sha256>)` in an article."""

    sha256: str
    content_type: str
    size: int


def keep(tx: Transaction, picture: Picture, *, by: str) -> None:
    """Remember it; the same again changes nothing."""
    tx.cursor.execute(
        "INSERT INTO pictures (sha256, content_type, size, uploaded_by, recorded_at)"
        " VALUES (%s, %s, %s, %s, %s) ON CONFLICT (sha256) DO NOTHING",
        (picture.sha256, picture.content_type, picture.size, by, tx.now),
    )


def find(tx: Transaction, sha256: str) -> tuple[Picture, bool] | None:
    """The picture, and whether everybody may see it: an article that everybody may read shows it."""
    tx.cursor.execute(
        "SELECT sha256, content_type, size, EXISTS ("
        "   SELECT FROM article_pictures JOIN articles AS a USING (name) WHERE sha256 = p.sha256"
        "   AND a.audience = 'public' AND a.status = 'published') AS is_public"
        " FROM pictures AS p WHERE sha256 = %s",
        (sha256,),
    )
    row = tx.cursor.fetchone()
    if row is None:
        return None
    is_public: bool = row.pop("is_public")
    return Picture(**row), is_public


def check(tx: Transaction, article: Article) -> None:
    """Raises Invalid: it names a picture that nobody has sent."""
    if not article.pictures:
        return
    tx.cursor.execute(
        "SELECT sha256 FROM pictures WHERE sha256 = ANY(%s)", (list(article.pictures),)
    )
    known = {row["sha256"] for row in tx.cursor.fetchall()}
    if missing := [one for one in article.pictures if one not in known]:
        wrong = FieldError("body", f"nobody has sent these pictures: {', '.join(missing)}")
        raise Invalid("The article cannot be kept.", errors=[wrong])


def note(tx: Transaction, name: str, article: Article | None) -> None:
    """What the article shows from now on; None: it was taken away."""
    tx.cursor.execute("DELETE FROM article_pictures WHERE name = %s", (name,))
    if article is not None and article.pictures:
        tx.cursor.execute(
            "INSERT INTO article_pictures (name, sha256) SELECT %s, unnest(%s::text[])",
            (name, list(article.pictures)),
        )
