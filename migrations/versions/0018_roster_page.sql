-- With the build in it, the index alone tells which bibs of an event are there twice.
create index participants_build_event_bib
on participants_build (source, event_id, bib_key) include (build)
where bib_key is not null;
