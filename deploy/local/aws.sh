# Runs ministack, and takes note if it was not stopped properly: it keeps what it knows when it is stopped, and objects of
# S3 at once.
set -uo pipefail
kept=/var/lib/ministack
[ ! -e $kept/running ] || touch $kept/killed
touch $kept/running
ministack &
trap 'kill -TERM $!' TERM INT
wait $!
# The first is over when the signal comes.
wait $!
rm $kept/running
