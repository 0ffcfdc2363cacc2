from django.db import migrations

# The tokens stand in the table already, separated by spaces: "ascii" splits there and nowhere else in them. The prefix
# indexes serve one-syllable searches (1) and the shortest English beginnings (3).
SQLITE = [
    """
    CREATE VIRTUAL TABLE prompt_search USING fts5(
        title, tags, description, facets,
        content='search_documents', content_rowid='id', tokenize='ascii', prefix='1 3'
    )
    """,
    """
    CREATE TRIGGER search_documents_inserted AFTER INSERT ON search_documents BEGIN
        INSERT INTO prompt_search (rowid, title, tags, description, facets)
        VALUES (new.id, new.title, new.tags, new.description, new.facets);
    END
    """,
    """
    CREATE TRIGGER search_documents_deleted AFTER DELETE ON search_documents BEGIN
        INSERT INTO prompt_search (prompt_search, rowid, title, tags, description, facets)
        VALUES ('delete', old.id, old.title, old.tags, old.description, old.facets);
    END
    """,
    """
    CREATE TRIGGER search_documents_updated AFTER UPDATE OF id, title, tags, description, facets ON search_documents BEGIN
        INSERT INTO prompt_search (prompt_search, rowid, title, tags, description, facets)
        VALUES ('delete', old.id, old.title, old.tags, old.description, old.facets);
        INSERT INTO prompt_search (rowid, title, tags, description, facets)
        VALUES (new.id, new.title, new.tags, new.description, new.facets);
    END
    """,
    "INSERT INTO prompt_search (prompt_search) VALUES ('rebuild')",
]
SQLITE_BACK = [
    "DROP TRIGGER IF EXISTS search_documents_inserted",
    "DROP TRIGGER IF EXISTS search_documents_deleted",
    "DROP TRIGGER IF EXISTS search_documents_updated",
    "DROP TABLE IF EXISTS prompt_search",
]

# One lexeme that no token can be stands between the parts, so that no phrase reaches from one into the next.
POSTGRESQL = [
    """
    ALTER TABLE search_documents ADD COLUMN terms tsvector GENERATED ALWAYS AS (
        setweight(to_tsvector('simple', title), 'A') || '''|'':1'::tsvector ||
        setweight(to_tsvector('simple', tags), 'C') || '''|'':1'::tsvector ||
        setweight(to_tsvector('simple', description), 'B') ||
        array_to_tsvector(string_to_array(facets, ' '))
    ) STORED
    """,
    "CREATE INDEX idx_search_documents_terms ON search_documents USING gin (terms) WITH (fastupdate = off)",
]
POSTGRESQL_BACK = ["ALTER TABLE search_documents DROP COLUMN terms"]


def build(apps, schema_editor):
    _run(schema_editor, {"sqlite": SQLITE, "postgresql": POSTGRESQL})


def drop(apps, schema_editor):
    _run(schema_editor, {"sqlite": SQLITE_BACK, "postgresql": POSTGRESQL_BACK})


def _run(schema_editor, statements):
    for statement in statements[schema_editor.connection.vendor]:
        schema_editor.execute(statement, params=None)


class Migration(migrations.Migration):
    dependencies = [("catalog", "0002_search_documents")]

    operations = [migrations.RunPython(build, drop)]
