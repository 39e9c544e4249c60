-- Contacts are the one place that knows whose an address is. Its rows become contacts when the service starts, with
-- an event each; from then on nothing reads or writes the table.
COMMENT ON TABLE person_addresses IS 'Superseded by contacts: emptied by the service when it starts, and not used any more.';
