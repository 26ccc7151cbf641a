-- Whether `problems` are of a verification that checked the signatures, too: one that does not takes none of them back.
alter table verification add column with_signatures boolean not null default false;
