# Read before each script of a .case file.
ganx() { "$GANX" "$@"; }
