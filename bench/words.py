"""What people type into a search: names, beginnings, two words, addresses, bibs, teams."""

WORDS = tuple(
    words.replace("|", " ")
    for words in (
        "anna smi lin gar son tor ols hana|kim sam|wal ele|ros ngo owl caf yara.zh 4711 a48 sofia.tanaka.9 zhang|wei "
        "mü ok pa|ra night|owls|li jo o'b van-d"
    ).split()
)
