#!/bin/sh
# The order of the folders of src/, as the README draws it: no file includes what stands higher.
# Rows that are names alone (list.h) may be read from anywhere. Outside libraries stay in the one
# folder that wraps them, and no file grows past what one reads in a sitting.
wrong=$(find src include -name '*.[ch]' -exec awk '
    BEGIN {
        split("util:1 config:2 weights:2 kernel:2 image:3 graph:3 op:4 plan:5 net:6 loss:6 optim:6 " \
              "family:7 model:8 train:9 cmd:10 main.c:11", pairs, " ")
        for (i in pairs) {
            split(pairs[i], pair, ":")
            rank[pair[1]] = pair[2]
        }
        # public headers, by the folder that implements them
        split("error:util dtype:util image:image weights:weights graph:graph params:graph plan:plan " \
              "network:net loss:loss model:model", pairs, " ")
        for (i in pairs) {
            split(pairs[i], pair, ":")
            home["ganx/" pair[1] ".h"] = pair[2]
        }
        only["vips/"] = "image"
        only["cblas.h"] = "kernel"
        only["weights/"] = "weights"
        only["yaml.h"] = "config cmd" # cmd for its version
        only["zlib.h"] = "weights cmd"
    }
    function place(path,    part) {
        if (path in home)
            return home[path]
        split(path, part, "/")
        return part[1]
    }
    FNR == 1 {
        files++
        path = FILENAME
        sub(/^(src|include)\//, "", path)
        here = place(path)
        if (!(here in rank))
            print FILENAME ": the folder has no place in the order (tests/source/test_layers.sh)"
    }
    FNR == 701 { print FILENAME ": more than 700 lines" }
    /^[ \t]*#[ \t]*include/ {
        there = $0
        gsub(/^[^"<]*["<]|[">].*$/, "", there)
        for (start in only)
            if (index(there, start) == 1 && index(" " only[start] " ", " " here " ") == 0)
                print FILENAME ": " there " is for src/" only[start]
        if ($0 !~ /"/ || there !~ /\// || there ~ /\/list\.h$/)
            next
        if (!(place(there) in rank))
            print FILENAME ": includes " there ", which has no place in the order"
        else if (rank[place(there)] > rank[here])
            print FILENAME ": includes " there ", which stands higher"
        else if (rank[place(there)] == rank[here] && place(there) != here)
            print FILENAME ": includes " there ", which stands beside it"
    }
    END { if (files < 100) print "looked at " files " files only" }' {} +)
[ -z "$wrong" ] || {
    printf '%s\n' "$wrong"
    exit 1
}
