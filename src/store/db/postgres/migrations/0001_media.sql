-- Times are milliseconds since 1970 in UTC, by the clock of the database. Texts are compared byte by byte.
--
-- Every transaction that changes media of an owner locks the row of the owner first, and then contents in the order of
-- their hashes. So no two transactions wait for each other, and counters are exact.

CREATE SCHEMA tower_media;

-- One row. A version of this crate that knows fewer migrations works with the tables if it knows `compatible_with`.
CREATE TABLE tower_media.schema_version (
    version         bigint NOT NULL,
    compatible_with bigint NOT NULL
);

INSERT INTO tower_media.schema_version VALUES (0, 0);

CREATE FUNCTION tower_media.now_millis() RETURNS bigint LANGUAGE sql VOLATILE AS
    'SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint';

CREATE TABLE tower_media.owners (
    number   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- '' for an owner without tenant. Never joined with the subject into one text.
    tenant   text   COLLATE "C" NOT NULL,
    subject  text   COLLATE "C" NOT NULL,
    -- The number of media ever uploaded, which is the arrival of the last one. Page tokens are arrivals.
    arrivals bigint NOT NULL DEFAULT 0,
    -- Current totals.
    count    bigint NOT NULL DEFAULT 0 CHECK (count >= 0),
    bytes    bigint NOT NULL DEFAULT 0 CHECK (bytes >= 0),
    -- The media that are ready: the total of a search without filters.
    ready    bigint NOT NULL DEFAULT 0 CHECK (ready >= 0),
    UNIQUE (tenant, subject)
-- Each upload updates its owner: room for new versions in the same page keeps the indexes unchanged.
) WITH (fillfactor = 70);

-- Stored contents. The object of a content is named by its hash and its generation; a generation is random and never
-- given again, so a delete that arrives late hits no later upload.
CREATE TABLE tower_media.contents (
    hash       bytea  PRIMARY KEY CHECK (length(hash) = 32),
    generation bigint NOT NULL,
    size       bigint NOT NULL CHECK (size >= 0),
    -- The media rows that refer to it. In this row, because a NOT EXISTS over another table is not evaluated again
    -- after waiting for a row lock.
    refs       bigint NOT NULL DEFAULT 0 CHECK (refs >= 0),
    -- The last reservation by an upload, or the deletion of the last reference. Garbage collection claims a content
    -- without references when the grace period from here on is over.
    since      bigint NOT NULL
) WITH (fillfactor = 80);

CREATE INDEX contents_unreferenced ON tower_media.contents (since, hash) WHERE refs = 0;

-- Objects to delete: claimed by garbage collection, or strays. Nothing will ever refer to them.
CREATE TABLE tower_media.dead (
    hash       bytea  NOT NULL,
    generation bigint NOT NULL,
    since      bigint NOT NULL,
    PRIMARY KEY (hash, generation)
);

CREATE INDEX dead_since ON tower_media.dead (since);

CREATE TABLE tower_media.media (
    number       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id           text   COLLATE "C" NOT NULL UNIQUE,
    owner        bigint NOT NULL REFERENCES tower_media.owners,
    arrival      bigint NOT NULL,
    hash         bytea  NOT NULL REFERENCES tower_media.contents,
    generation   bigint NOT NULL,
    size         bigint NOT NULL CHECK (size >= 0),
    mime_type    text   COLLATE "C" NOT NULL,
    file_name    text   COLLATE "C",
    status       text   COLLATE "C" NOT NULL CHECK (status IN ('processing', 'ready', 'failed')),
    -- The name of the reason why the media is failed. NULL for other media.
    failure_reason text COLLATE "C",
    width        bigint,
    height       bigint,
    format       text   COLLATE "C",
    has_alpha    boolean,
    -- JSON, with the names of the media protocol. As text, because jsonb refuses U+0000.
    exif         text   COLLATE "C",
    -- Of the EXIF, for searches. Undated media sort last: '~' is greater than every digit.
    date_taken   text   COLLATE "C" NOT NULL DEFAULT '~',
    has_location boolean NOT NULL DEFAULT false,
    created_at   bigint NOT NULL,
    UNIQUE (owner, arrival),
    -- One row per owner and content; its first column finds references to a content.
    UNIQUE (hash, owner)
);

CREATE INDEX media_processing ON tower_media.media (number) WHERE status = 'processing';

-- An owner's ready media in each order of a search, so that a page is read without sorting.
CREATE INDEX media_by_date ON tower_media.media (owner, created_at, arrival) WHERE status = 'ready';
CREATE INDEX media_by_size ON tower_media.media (owner, size, arrival) WHERE status = 'ready';
CREATE INDEX media_by_date_taken ON tower_media.media (owner, date_taken, arrival) WHERE status = 'ready';

-- Scopes of media. The ownership query, which is the most frequent one, reads only the primary key.
CREATE TABLE tower_media.refs (
    media   text   COLLATE "C" NOT NULL REFERENCES tower_media.media (id) ON DELETE CASCADE,
    scope   text   COLLATE "C" NOT NULL,
    owner   bigint NOT NULL,
    arrival bigint NOT NULL,
    PRIMARY KEY (media, scope) INCLUDE (owner)
);

CREATE INDEX refs_newest ON tower_media.refs (owner, scope, arrival);

-- One row per stored file. It is deleted with the file, so it can outlive its media: see `removed`.
CREATE TABLE tower_media.renditions (
    media     text   COLLATE "C" NOT NULL,
    key       text   COLLATE "C" NOT NULL,
    size      bigint NOT NULL CHECK (size >= 0),
    hash      bytea  NOT NULL CHECK (length(hash) = 32),
    mime_type text   COLLATE "C" NOT NULL,
    width     bigint NOT NULL,
    height    bigint NOT NULL,
    used_at   bigint NOT NULL,
    PRIMARY KEY (media, key)
);

CREATE INDEX renditions_used ON tower_media.renditions (used_at);

-- Deleted media whose renditions are not deleted yet.
CREATE TABLE tower_media.removed (
    media text   COLLATE "C" PRIMARY KEY,
    since bigint NOT NULL
);

CREATE INDEX removed_since ON tower_media.removed (since);

-- The bytes of all renditions, in 64 rows: one row would make all renditions of all owners queue for it. A single row
-- may be negative, the sum is not.
CREATE TABLE tower_media.totals (
    shard           bigint PRIMARY KEY,
    rendition_bytes bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 20);

INSERT INTO tower_media.totals (shard) SELECT generate_series(0, 63);

CREATE FUNCTION tower_media.count_rendition() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    name text := CASE TG_OP WHEN 'DELETE' THEN OLD.media ELSE NEW.media END;
    added bigint := CASE TG_OP WHEN 'DELETE' THEN 0 ELSE NEW.size END;
    subtracted bigint := CASE TG_OP WHEN 'INSERT' THEN 0 ELSE OLD.size END;
BEGIN
    UPDATE tower_media.totals SET rendition_bytes = rendition_bytes + added - subtracted
    WHERE shard = hashtext(name) & 63;
    RETURN NULL;
END
$$;

CREATE TRIGGER rendition_counted AFTER INSERT OR DELETE OR UPDATE OF size ON tower_media.renditions
    FOR EACH ROW EXECUTE FUNCTION tower_media.count_rendition();

CREATE VIEW tower_media.records AS
SELECT media.*, owners.tenant, owners.subject
FROM tower_media.media JOIN tower_media.owners ON owners.number = media.owner;
