-- The organization whose id stands in the keys of digest files, empty for trails of one account.
ALTER TABLE validations ADD COLUMN organization TEXT NOT NULL DEFAULT '';
