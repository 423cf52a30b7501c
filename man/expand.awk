# Fills a manual page: @DATE@, and lines "@OPTIONS [FAMILY] VERB [keys]@" with the option table's
# lists. Use: awk -v ganx=build/ganx -v date="..." -f man/expand.awk page.1.in
/^@OPTIONS .*@$/ {
    words = substr($0, 10, length($0) - 10)
    command = "\"" ganx "\" help --mdoc " words
    while ((status = (command | getline line)) > 0)
        print line
    if (status < 0 || close(command) != 0) {
        print "cannot list the options of " words > "/dev/stderr"
        exit 1
    }
    next
}
{
    gsub(/@DATE@/, date)
    print
}
