-- Tasks over all tickets: whoever has them, also those that are done; and what is open, whoever has it.
CREATE INDEX tasks_owner_all ON tasks (owner_id, due_sort, task_id) WHERE NOT is_removed;
CREATE INDEX tasks_open      ON tasks (due_sort, task_id) WHERE NOT is_done AND NOT is_removed;
