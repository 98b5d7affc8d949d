PRAGMA user_version = 2;

-- An owner's ready media in each order that a search knows, so that a page is read and not sorted.
CREATE INDEX media_by_date ON media (owner, status, created_at, arrival);

CREATE INDEX media_by_size ON media (owner, status, size, arrival);

-- What has no date sorts as the largest: no digit is beyond '~'.
CREATE INDEX media_by_date_taken ON media (owner, status, coalesce(exif ->> '$.dateTaken', '~'), arrival);
