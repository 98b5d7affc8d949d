PRAGMA user_version = 3;

-- The name of the reason why the media is failed. NULL for other media, and for media that failed before this column
-- existed.
ALTER TABLE media ADD COLUMN failure_reason TEXT;

-- Created again, so that `media.*` includes the new column.
DROP VIEW records;

CREATE VIEW records AS
SELECT media.*, owners.tenant, owners.subject
FROM media JOIN owners ON owners.number = media.owner;
