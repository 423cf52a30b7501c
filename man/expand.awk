# Fills a manual page: @DATE@, and lines "@OPTIONS [FAMILY] VERB [keys]@" with the option table's
# lists; long lines of prose are broken. Use:
#   awk -v ganx=build/ganx -v date="..." -f man/expand.awk page.1.in

function emit(line,    at) {
    while (length(line) > 78 && line !~ /^[.]/) {
        for (at = 78; at > 1 && substr(line, at, 1) != " "; at--)
            ;
        if (at == 1)
            break
        print substr(line, 1, at - 1)
        line = substr(line, at + 1)
        if (line ~ /^[.']/)
            line = "\\&" line
    }
    print line
}

/^@OPTIONS .*@$/ {
    words = substr($0, 10, length($0) - 10)
    command = "\"" ganx "\" help --mdoc " words
    while ((status = (command | getline line)) > 0)
        emit(line ~ /^[.][.]/ ? "\\&" line : line) # text that goes on, no macro
    if (status < 0 || close(command) != 0) {
        print "cannot list the options of " words > "/dev/stderr"
        exit 1
    }
    next
}

{
    gsub(/@DATE@/, date)
    emit($0)
}
