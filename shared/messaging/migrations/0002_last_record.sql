-- The id of the record before the position: a log that has another one there is not the log that was read.
ALTER TABLE consumer_positions ADD COLUMN last_record text;
