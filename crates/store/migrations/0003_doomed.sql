-- Files to delete: their last reference is gone and nothing that the user chose keeps them. Entered by the transaction
-- that dropped the reference and taken out with the file, so that no crash in between keeps one.
create table doomed (
    blob blob primary key
) strict, without rowid;
