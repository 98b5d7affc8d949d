PRAGMA user_version = 4;

-- The name of the reason why the media is failed. NULL for other media, and for media that failed before this column
-- existed.
ALTER TABLE media ADD COLUMN failure_reason TEXT;
