-- With the build in it, the index alone tells how many are in an event, and which bibs are there twice.
create index participants_build_event_bib on participants_build (source, event_id, bib_key) include (build);
