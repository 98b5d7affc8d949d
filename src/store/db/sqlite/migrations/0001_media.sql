-- "tmed", and the number of the last migration: open.rs looks at both before anything else.
PRAGMA application_id = 0x746d6564;
PRAGMA user_version = 1;

-- Times are milliseconds since 1970 in UTC. Texts are compared byte by byte, as SQLite does by default.

CREATE TABLE owners (
    number   INTEGER PRIMARY KEY,
    -- '' for an owner without tenant. Never joined with the subject into one text.
    tenant   TEXT    NOT NULL,
    subject  TEXT    NOT NULL,
    -- The number of media ever uploaded, which is the arrival of the last one. Page tokens are arrivals.
    arrivals INTEGER NOT NULL DEFAULT 0,
    -- Current totals, kept by the triggers below.
    count    INTEGER NOT NULL DEFAULT 0,
    bytes    INTEGER NOT NULL DEFAULT 0,
    -- The media that are ready: the total of a search without filters.
    ready    INTEGER NOT NULL DEFAULT 0,
    UNIQUE (tenant, subject)
) STRICT;

CREATE TABLE media (
    number     INTEGER PRIMARY KEY,
    id         TEXT    NOT NULL UNIQUE,
    owner      INTEGER NOT NULL REFERENCES owners,
    arrival    INTEGER NOT NULL,
    hash       BLOB    NOT NULL CHECK (length(hash) = 32),
    size       INTEGER NOT NULL CHECK (size >= 0),
    mime_type  TEXT    NOT NULL,
    file_name  TEXT,
    status     TEXT    NOT NULL CHECK (status IN ('processing', 'ready', 'failed')),
    width      INTEGER,
    height     INTEGER,
    format     TEXT,
    has_alpha  INTEGER,
    -- JSON, with the names of the media protocol.
    exif       TEXT,
    created_at INTEGER NOT NULL,
    UNIQUE (owner, arrival),
    -- One row per owner and content; its first column finds references to a blob.
    UNIQUE (hash, owner)
) STRICT;

CREATE INDEX media_processing ON media (number) WHERE status = 'processing';

-- Scopes of media. The ownership query, which is the most frequent one, reads owner and scopes of an id from one
-- page of this table.
CREATE TABLE refs (
    media   TEXT    NOT NULL REFERENCES media (id) ON DELETE CASCADE,
    scope   TEXT    NOT NULL,
    owner   INTEGER NOT NULL,
    arrival INTEGER NOT NULL,
    PRIMARY KEY (media, scope)
) STRICT, WITHOUT ROWID;

CREATE INDEX refs_newest ON refs (owner, scope, arrival);

-- Blobs without a media row: pending uploads, and blobs whose last row was deleted.
CREATE TABLE orphans (
    hash  BLOB    PRIMARY KEY,
    since INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX orphans_since ON orphans (since);

-- One row per stored file. It is deleted with the file, so it can outlive its media: see `removed`.
CREATE TABLE renditions (
    media     TEXT    NOT NULL,
    key       TEXT    NOT NULL,
    size      INTEGER NOT NULL CHECK (size >= 0),
    hash      BLOB    NOT NULL CHECK (length(hash) = 32),
    mime_type TEXT    NOT NULL,
    width     INTEGER NOT NULL,
    height    INTEGER NOT NULL,
    used_at   INTEGER NOT NULL,
    PRIMARY KEY (media, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX renditions_used ON renditions (used_at);

-- Deleted media whose renditions are not deleted yet.
CREATE TABLE removed (
    media TEXT    PRIMARY KEY,
    since INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX removed_since ON removed (since);

CREATE TABLE totals (
    rendition_bytes INTEGER NOT NULL
) STRICT;

INSERT INTO totals VALUES (0);

CREATE TRIGGER media_came AFTER INSERT ON media BEGIN
    UPDATE owners SET arrivals = new.arrival, count = count + 1, bytes = bytes + new.size,
        ready = ready + (new.status = 'ready')
    WHERE number = new.owner;
END;

CREATE TRIGGER media_changed AFTER UPDATE OF status ON media BEGIN
    UPDATE owners SET ready = ready + (new.status = 'ready') - (old.status = 'ready')
    WHERE number = new.owner;
END;

CREATE TRIGGER media_went AFTER DELETE ON media BEGIN
    UPDATE owners SET count = count - 1, bytes = bytes - old.size, ready = ready - (old.status = 'ready')
    WHERE number = old.owner;
END;

CREATE TRIGGER rendition_came AFTER INSERT ON renditions BEGIN
    UPDATE totals SET rendition_bytes = rendition_bytes + new.size;
END;

CREATE TRIGGER rendition_changed AFTER UPDATE OF size ON renditions BEGIN
    UPDATE totals SET rendition_bytes = rendition_bytes + new.size - old.size;
END;

CREATE TRIGGER rendition_went AFTER DELETE ON renditions BEGIN
    UPDATE totals SET rendition_bytes = rendition_bytes - old.size;
END;

CREATE VIEW records AS
SELECT media.*, owners.tenant, owners.subject
FROM media JOIN owners ON owners.number = media.owner;
