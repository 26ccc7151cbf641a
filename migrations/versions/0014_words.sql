-- Who has a text that is longer than its key: few, among whom the words are looked for at which keys were cut.
create index participants_build_long on participants_build (source)
where length(last_name_key) = 100 or length(first_name_key) = 100 or length(team_key) = 100;
