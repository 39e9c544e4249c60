-- What its tickets ask has changed (units, widening): they are moved to other lanes bit by bit, and nothing joins it.
ALTER TABLE lanes ADD COLUMN is_retired boolean NOT NULL DEFAULT false;
UPDATE lanes SET is_retired = true WHERE channel = '';
