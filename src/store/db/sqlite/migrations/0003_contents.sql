PRAGMA user_version = 3;

-- Stored contents. The object of a content is named by its hash and its generation; a generation is random and never
-- given again, so a delete that arrives late hits no later upload. 0 is for objects without generation in their key.
CREATE TABLE contents (
    hash       BLOB    PRIMARY KEY CHECK (length(hash) = 32),
    generation INTEGER NOT NULL,
    size       INTEGER NOT NULL CHECK (size >= 0),
    -- The media rows that refer to it, kept by the triggers below.
    refs       INTEGER NOT NULL DEFAULT 0 CHECK (refs >= 0),
    -- The last reservation by an upload, or the deletion of the last reference. Garbage collection claims a content
    -- without references when the grace period from here on is over.
    since      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX contents_unreferenced ON contents (since) WHERE refs = 0;

-- Objects to delete: claimed by garbage collection, or strays. Nothing will ever refer to them.
CREATE TABLE dead (
    hash       BLOB    NOT NULL,
    generation INTEGER NOT NULL,
    -- Since when the object is unreferenced.
    since      INTEGER NOT NULL,
    PRIMARY KEY (hash, generation)
) STRICT, WITHOUT ROWID;

CREATE INDEX dead_since ON dead (since);

-- The generation of the content, which does not change while media refer to it.
ALTER TABLE media ADD COLUMN generation INTEGER NOT NULL DEFAULT 0;

INSERT INTO contents (hash, generation, size, refs, since)
SELECT hash, 0, max(size), count(*), 0 FROM media GROUP BY hash;

INSERT INTO dead (hash, generation, since)
SELECT hash, 0, since FROM orphans
WHERE NOT EXISTS (SELECT 1 FROM contents WHERE contents.hash = orphans.hash);

DROP TABLE orphans;

CREATE TRIGGER reference_came AFTER INSERT ON media BEGIN
    UPDATE contents SET refs = refs + 1 WHERE hash = new.hash;
END;

CREATE TRIGGER reference_went AFTER DELETE ON media BEGIN
    UPDATE contents SET refs = refs - 1, since = CAST(unixepoch('subsec') * 1000 AS INTEGER)
    WHERE hash = old.hash;
END;
