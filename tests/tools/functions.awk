# Prints "name lines first_line" for each function of a C file laid out by `make format`, where a
# body opens at the end of the signature and closes in column 1. Reads the output of strip.awk.
function name_of(text) {
    gsub(/__attribute__ *\(\([^)]*\)\)/, "", text)
    sub(/\(.*/, "", text)
    sub(/ *$/, "", text)
    sub(/.*[^A-Za-z0-9_]/, "", text)
    return text
}
!inside && /^[A-Za-z_]/ { signature = $0; start = NR }
!inside && ((/\) *\{ *$/ && signature ~ /\(/ && signature !~ /^typedef/) || /^\{ *$/) {
    if (signature != "" && signature !~ /= *$/) {
        inside = 1
    }
}
inside && /^\}/ {
    print name_of(signature), NR - start + 1, start
    inside = 0
    signature = ""
}
!inside && /;[ ]*$/ { signature = "" }
