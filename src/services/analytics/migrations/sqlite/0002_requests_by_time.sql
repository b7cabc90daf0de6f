-- What retention deletes is found by its time: a row that a clock set ahead has dated stands among
-- the oldest, and must not keep them.
CREATE INDEX requests_by_time ON requests (at);
CREATE INDEX dead_letters_by_time ON dead_letters (received_at);
