-- A session of the pages sees what its token sees, while both are valid. Of its secret only the digest is stored.
create table page_session (
  digest bytea not null,
  token bytea not null,
  made_at timestamptz not null default now(),
  expires_at timestamptz not null,
  constraint page_session_pkey primary key (digest),
  constraint page_session_token foreign key (token) references api_token (digest) on delete cascade,
  constraint page_session_digest_sha256 check (octet_length(digest) = 32)
);
create index page_session_token on page_session (token);

-- A link that signs in once; using it deletes its row.
create table sign_in_link (
  digest bytea not null,
  token bytea not null,
  expires_at timestamptz not null,
  constraint sign_in_link_pkey primary key (digest),
  constraint sign_in_link_token foreign key (token) references api_token (digest) on delete cascade,
  constraint sign_in_link_digest_sha256 check (octet_length(digest) = 32)
);
create index sign_in_link_token on sign_in_link (token);

grant select on page_session, sign_in_link to rosterlog_api;
