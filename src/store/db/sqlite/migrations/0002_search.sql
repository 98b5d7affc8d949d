PRAGMA user_version = 2;

-- An owner's ready media in each order of a search, so that a page is read without sorting.
CREATE INDEX media_by_date ON media (owner, status, created_at, arrival);

CREATE INDEX media_by_size ON media (owner, status, size, arrival);

-- Undated media sort last: '~' is greater than every digit.
CREATE INDEX media_by_date_taken ON media (owner, status, coalesce(exif ->> '$.dateTaken', '~'), arrival);
